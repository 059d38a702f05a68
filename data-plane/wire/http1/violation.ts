/** Why bytes were refused. `bad_…` kinds of the two sides are given by whoever owns the connection. */
export type ViolationKind = 'malformed' | 'head_too_large' | 'target_too_long' | 'not_implemented' | 'version';

/** Thrown by the parsers when the peer breaks HTTP/1.1 or a limit; the connection cannot be read any further. */
export class Violation extends Error {
  readonly kind: ViolationKind;

  constructor(kind: ViolationKind, reason: string) {
    super(reason);
    this.name = 'Violation';
    this.kind = kind;
  }
}

export function malformed(reason: string): Violation {
  return new Violation('malformed', reason);
}
