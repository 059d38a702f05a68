/** What a command ends with when it does not do what it was asked. Each class has an exit code; the text is for people. */

/** Exit code 1: the config, or the control plane, does not allow it. Each line is one reason. */
export class RefusedError extends Error {
  readonly lines: readonly string[];

  constructor(lines: readonly string[], options?: ErrorOptions) {
    super(lines.join('\n'), options);
    this.lines = lines;
  }
}

/** Exit code 2: what was typed cannot be meant. */
export class UsageError extends Error {}

/** Exit code 3: no control plane answers at the address. */
export class UnreachableError extends Error {}
