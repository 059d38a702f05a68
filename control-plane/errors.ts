/** google.rpc.Code values that the admin API answers with. */
export const code = {
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

export type AdminCode = (typeof code)[keyof typeof code];

export interface FieldViolation {
  /** Path in proto names, as `service.discovery.static.endpoints[1].port`. */
  readonly field: string;
  readonly description: string;
}

/** A refusal that a caller of the admin API sees as it is; anything else thrown there becomes INTERNAL and goes to the log. */
export class AdminError extends Error {
  readonly code: AdminCode;
  /** An upper-case word for programs, as `ETAG_MISMATCH`. */
  readonly reason: string;
  readonly violations: readonly FieldViolation[];

  constructor(
    adminCode: AdminCode,
    reason: string,
    message: string,
    violations: readonly FieldViolation[] = [],
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'AdminError';
    this.code = adminCode;
    this.reason = reason;
    this.violations = violations;
  }
}
