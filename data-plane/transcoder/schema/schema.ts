import { Codecs } from '../codec/codec.js';
import { builtinPool } from './builtin.js';
import { Cursor } from './cursor.js';
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
  readonly reason: string;
}

/** Linked descriptors of one upload. Types of one schema are never mixed with another's, even under the same names. */
export interface Schema {
  /** Full names of the services of the set, in the order of declaration. */
  readonly services: readonly string[];
  service(name: string): ServiceType | undefined;
  /** Finds a message of the set or a built-in one; throws SchemaError when its descriptor is bad. */
  message(name: string): MessageType | undefined;
  /** Looks for faults in a message and in all that it can hold; throws SchemaError. */
  check(messageName: string): void;
  /** JSON to wire bytes and back, for the messages of this schema. */
  readonly codecs: Codecs;
}

const builtins = builtinPool();

/**
 * Reads a serialized google.protobuf.FileDescriptorSet, which may come from anybody: bad bytes, missing imports and duplicate
 * names become problems, and the schema is null then. Types are linked when first used, so a fault inside a message shows when
 * a binding is compiled (see schemaBindings).
 */
export function loadSchema(descriptorSet: Uint8Array): { schema: Schema | null; problems: SchemaProblem[] } {
  const pool = new Pool(builtins);
  const problems: SchemaProblem[] = [];
  attempt(problems, () => addFiles(pool, descriptorSet, problems));
  for (const file of pool.files.values()) {
    for (const name of file.dependencies) {
      if (pool.hasFile(name)) continue;
      const reason = `imports ${JSON.stringify(name)}, which is not in the set; build the set with all imports`;
      problems.push({ file: file.name, symbol: '', template: '', column: 0, reason });
    }
  }
  if (pool.files.size === 0 && problems.length === 0) {
    problems.push({ file: '', symbol: '', template: '', column: 0, reason: 'the descriptor set has no file' });
  }
  return { schema: problems.length === 0 ? new PoolSchema(pool) : null, problems };
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
  readonly #pool: Pool;

  constructor(pool: Pool) {
    this.codecs = new Codecs((name) => pool.message(name));
    this.#pool = pool;
    this.services = pool.serviceNames;
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
}

function addFiles(pool: Pool, descriptorSet: Uint8Array, problems: SchemaProblem[]): void {
  const cursor = new Cursor(descriptorSet);
  for (let tag = cursor.tag(); tag !== 0; tag = cursor.tag()) {
    if (tag === 0x0a) {
      const file = cursor.part();
      attempt(problems, () => pool.add(file));
    } else {
      cursor.skip(tag);
    }
  }
}

function problemOf(error: unknown): SchemaProblem {
  if (!(error instanceof SchemaError)) throw error;
  return { file: error.file, symbol: error.symbol, template: '', column: 0, reason: error.message };
}
