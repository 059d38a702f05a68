import type { Http } from '../../../proto/gen/google/api/http_pb.js';
import { Codecs } from '../codec/codec.js';
import { builtinPool } from './builtin.js';
import { Cursor } from './cursor.js';
import { Notes } from './notes.js';
import { ExternalRules, type ExternalRule } from './external-rules.js';
import { importFaults } from './imports.js';
import { limits } from './limits.js';
import { Pool } from './pool.js';
import { SchemaError, type MessageType, type ServiceType } from './types.js';

/** A fault in an uploaded schema. What does not apply is '' or 0; columns count from 1. */
export interface SchemaProblem {
  readonly file: string;
  /** Full name of the method, message or field. */
  readonly symbol: string;
  /** The path template that is at fault. */
  readonly template: string;
  readonly column: number;
  /** Where it stands in the http rules beside the descriptors, as `rules[3].get`. */
  readonly rule: string;
  readonly reason: string;
}

/** Linked descriptors of one upload. Types of one schema are never mixed with another's, even under the same names. */
export interface Schema {
  /** Full names of the services of the set, in the order of declaration. */
  readonly services: readonly string[];
  /** Names of the files of the set, in its order. */
  readonly files: readonly string[];
  service(name: string): ServiceType | undefined;
  /** Finds a message of the set or a built-in one; throws SchemaError when its descriptor is bad. */
  message(name: string): MessageType | undefined;
  /** Looks for faults in a message and in all that it can hold; throws SchemaError. */
  check(messageName: string): void;
  /** The http rule that takes the place of a method's annotation; `method` is a full name. */
  externalRule(method: string): ExternalRule | undefined;
  /** JSON to wire bytes and back, for the messages of this schema. */
  readonly codecs: Codecs;
  /** Comments and options of the declarations, read anew for whoever asks. */
  notes(): Notes;
}

const builtins = builtinPool();

/** A problem of which nothing is known but the reason. */
export const nowhere = { file: '', symbol: '', template: '', column: 0, rule: '' } as const;

/**
 * Reads a serialized google.protobuf.FileDescriptorSet, which may come from anybody: bad bytes, missing imports and duplicate
 * names become problems, and the schema is null then. Types are linked when first used, so a fault inside a message shows when
 * a binding is compiled (see schemaBindings). `httpRules` stand above the annotations of the methods that they select.
 */
export function loadSchema(
  descriptorSet: Uint8Array,
  httpRules?: Http,
): { schema: Schema | null; problems: SchemaProblem[] } {
  const pool = new Pool(builtins);
  const problems: SchemaProblem[] = [];
  attempt(problems, () => addFiles(pool, descriptorSet, problems));
  const inImports = importFaults(pool.files, (name) => pool.hasFile(name));
  problems.push(...inImports.map((fault) => ({ ...nowhere, ...fault })));
  if (pool.files.size === 0 && problems.length === 0) {
    problems.push({ ...nowhere, reason: 'the descriptor set has no file' });
  }
  if (problems.length > 0) return { schema: null, problems };
  const rules = new ExternalRules(httpRules);
  const unknown = rules.unknownSelectors((name) => attempt(problems, () => pool.service(name)));
  problems.push(...unknown.map((fault) => ({ ...nowhere, ...fault })));
  return { schema: new PoolSchema(descriptorSet, pool, rules), problems };
}

/** Runs `work`; a SchemaError becomes a problem, and the answer is undefined. */
export function attempt<T>(problems: SchemaProblem[], work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    problems.push(problemOf(error));
    return undefined;
  }
}

class PoolSchema implements Schema {
  readonly services: readonly string[];
  readonly codecs: Codecs;
  readonly #descriptorSet: Uint8Array;
  readonly #pool: Pool;
  readonly #rules: ExternalRules;

  constructor(descriptorSet: Uint8Array, pool: Pool, rules: ExternalRules) {
    this.codecs = new Codecs((name) => pool.message(name));
    this.#descriptorSet = descriptorSet;
    this.#pool = pool;
    this.#rules = rules;
    this.services = pool.serviceNames;
  }

  get files(): readonly string[] {
    return [...this.#pool.files.keys()];
  }

  externalRule(method: string): ExternalRule | undefined {
    return this.#rules.of(method);
  }

  service(name: string): ServiceType | undefined {
    return this.#pool.service(name);
  }

  check(messageName: string): void {
    this.#pool.check(messageName);
  }

  message(name: string): MessageType | undefined {
    return this.#pool.message(name);
  }

  notes(): Notes {
    return new Notes(this.#descriptorSet);
  }
}

function addFiles(pool: Pool, descriptorSet: Uint8Array, problems: SchemaProblem[]): void {
  const cursor = new Cursor(descriptorSet);
  for (let tag = cursor.tag(); tag !== 0; tag = cursor.tag()) {
    if (tag === 0x0a) {
      const file = cursor.part();
      if (pool.files.size >= limits.files) throw new SchemaError('', '', `the set has more than ${limits.files} files`);
      attempt(problems, () => pool.add(file));
    } else {
      cursor.skip(tag);
    }
  }
}

function problemOf(error: unknown): SchemaProblem {
  if (!(error instanceof SchemaError)) throw error;
  return { ...nowhere, file: error.file, symbol: error.symbol, reason: error.message };
}
