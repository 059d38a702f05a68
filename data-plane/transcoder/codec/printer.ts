import type { FieldPlaces } from './field-places.js';
import type { JsonOutput } from './json-output.js';
import type { FieldTable, MessageTable } from './table.js';
import type { WireSource } from './wire-source.js';

/**
 * What is printed of fields that are not set (PJ3): nothing; fields without presence, lists and maps; those and null for
 * messages, as grpc-gateway does.
 */
export type Emission = 'set' | 'implicit' | 'all';

/**
 * What the parts of the printer have in common, and ask of each other. Members and elements are printed with a comma before
 * each; the first one's gives way to the bracket.
 */
export interface MessagePrinter {
  readonly source: WireSource;
  readonly out: JsonOutput;
  readonly places: FieldPlaces;
  readonly emission: Emission;
  /** Finds the table of an Any's type. */
  resolve(typeName: string): MessageTable | undefined;
  /** Prints the message whose fields stand between the position and `end`. */
  message(table: MessageTable, end: number): void;
  /** Prints the fields of a message, each with a comma before it, without braces. */
  fields(table: MessageTable, end: number): void;
  /** Prints the message whose tag has just been read. */
  nested(field: FieldTable, tag: number, end: number): void;
  /** Prints the elements of one record of a list, whose tag has been read. */
  elements(field: FieldTable, tag: number, end: number): void;
  /**
   * Whether records may be printed as they come, in the hope that nothing behind shows this to be wrong. A part of which it
   * was wrong is printed twice, its inner ones too; so after a few such parts it is not tried any more.
   */
  readonly isHopeful: boolean;
  /** Counts a part that must be printed anew. */
  disappoint(): void;
  /** Prints what stands for a field that is not set. */
  unset(field: FieldTable): void;
}
