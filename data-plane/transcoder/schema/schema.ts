import { BinaryReader } from '@bufbuild/protobuf/wire';
import { Codecs } from '../codec/codec.js';
import { builtinPool } from './builtin.js';
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

/** Runs `work`; a SchemaError or a wire reader's error becomes a problem, and the answer is undefined. */
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
    this.services = pool.serviceNames();
  }

  service(name: string): ServiceType | undefined {
    return this.#pool.service(name);
  }

  message(name: string): MessageType | undefined {
    return this.#pool.message(name);
  }
}

function addFiles(pool: Pool, descriptorSet: Uint8Array, problems: SchemaProblem[]): void {
  const reader = new BinaryReader(descriptorSet);
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (number === 1 && wireType === 2) {
      const file = reader.bytes();
      attempt(problems, () => pool.add(file));
    } else {
      reader.skip(wireType, number);
    }
  }
}

function problemOf(error: unknown): SchemaProblem {
  if (error instanceof SchemaError) {
    return { file: error.file, symbol: error.symbol, template: '', column: 0, reason: error.message };
  }
  const cause = error instanceof Error ? error.message : String(error);
  return {
    file: '',
    symbol: '',
    template: '',
    column: 0,
    reason: `is not a serialized google.protobuf.FileDescriptorSet: ${cause}`,
  };
}
