import type { JsonSource } from './json-source.js';
import type { Int64Slot } from './read-number.js';
import type { FieldTable, MessageTable } from './table.js';
import type { WireWriter } from './writer.js';

/** Containers that may be open within each other (PJ12). */
export const maxJsonDepth = 100;

/** What the parts of the reader have in common, and ask of each other. */
export interface MessageReader {
  readonly source: JsonSource;
  readonly out: WireWriter;
  readonly slot: Int64Slot;
  /** Fields that the message does not have, and enum names that the enum does not have, are passed over. */
  readonly ignoreUnknown: boolean;
  /** Zero values of fields without presence are written too, so that they win over what stands before on the wire. */
  keepZeros: boolean;
  /** Containers that are open. */
  depth: number;
  /** Finds the table of an Any's type. */
  resolve(typeName: string): MessageTable | undefined;
  /** Reads a whole message at the position, without length. */
  message(table: MessageTable): void;
  /** Reads the fields of an Any's message, which stand beside its `@type`. */
  anyObject(table: MessageTable): void;
  /** Reads a message at the position, and writes it with tag and length. */
  nested(field: FieldTable): void;
  /** Counts a container that opens at the position, and passes over its bracket. */
  enter(): void;
  /** Passes over the value at the position. */
  skip(): void;
}
