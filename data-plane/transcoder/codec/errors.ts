/**
 * A value that does not fit its field. The reason never repeats the value; `field` is the path in proto names, '' for the whole;
 * `offset` is the byte in the JSON text, or -1.
 */
export class ArgumentError extends Error {
  readonly field: string;
  readonly offset: number;

  constructor(field: string, reason: string, offset = -1) {
    super(reason);
    this.name = 'ArgumentError';
    this.field = field;
    this.offset = offset;
  }

  /** The same fault, seen from a message that holds this field under `outer`. */
  within(outer: string): ArgumentError {
    const inner = this.field;
    const path = inner === '' || inner.startsWith('[') ? outer + inner : `${outer}.${inner}`;
    return new ArgumentError(path, this.message, this.offset);
  }
}
