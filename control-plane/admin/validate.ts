import { create } from '@bufbuild/protobuf';
import { pathToString } from '@bufbuild/protobuf/reflect';
import { createValidator } from '@bufbuild/protovalidate';

import { AdminError, code } from '../errors.js';

import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import type { Validator, Violation } from '@bufbuild/protovalidate';
import type { FieldViolation } from '../errors.js';

/** Holds the rules that stand in the protos. Rules compile when a message type is first met, so `warmUp` meets them all. */
export class RequestValidator {
  readonly #validator: Validator = createValidator();

  /** Takes some hundred milliseconds; call it before the first request does. */
  warmUp(schemas: Iterable<DescMessage>): void {
    for (const schema of schemas) this.#validator.validate(schema, create(schema));
  }

  /** Throws INVALID_ARGUMENT with every violated field. */
  check(schema: DescMessage, message: MessageShape<DescMessage>): void {
    const result = this.#validator.validate(schema, message);
    if (result.kind === 'error') throw result.error;
    if (result.kind === 'invalid') throw invalid(result.violations.map(toFieldViolation));
  }
}

/** The refusal of a request whose fields are wrong. */
export function invalid(violations: readonly FieldViolation[]): AdminError {
  return new AdminError(code.invalidArgument, 'INVALID_FIELD', summary(violations), violations);
}

/** The first violation in words, and how many there are. */
export function summary(violations: readonly FieldViolation[]): string {
  const [first] = violations;
  if (first === undefined) return 'The request is not valid.';
  const more = violations.length === 1 ? '' : ` (and ${violations.length - 1} more)`;
  return `${first.field}: ${first.description}${more}`;
}

function toFieldViolation(violation: Violation): FieldViolation {
  return { field: pathToString(violation.field), description: violation.message };
}
