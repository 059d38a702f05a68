import { DrizzleQueryError } from 'drizzle-orm';

import { AdminError, code } from '../errors.js';

/** What a failed statement means to the store. */
export type Fault = 'unreachable' | 'retry' | 'busy' | 'unstorable' | 'other';

/** SQLSTATEs and classes of them (two characters) by which a server says that it cannot serve now, whatever is asked. */
const UNREACHABLE = ['08', '28', '53', '57P', '58', '25006', '25P03', '3D000'];
const RETRY = ['40001', '40P01'];
const BUSY = ['55P03', '57014'];
const UNSTORABLE = ['22', '54'];

export function faultOf(error: unknown): Fault {
  if (error instanceof AdminError) return error.reason === 'STORE_UNAVAILABLE' ? 'unreachable' : 'other';
  const state = sqlState(error);
  // A query that failed without an SQLSTATE failed on the way: reset, refused, timed out.
  if (state === undefined) return error instanceof DrizzleQueryError ? 'unreachable' : 'other';
  if (RETRY.includes(state)) return 'retry';
  if (BUSY.includes(state)) return 'busy';
  if (UNREACHABLE.some((prefix) => state.startsWith(prefix))) return 'unreachable';
  return UNSTORABLE.some((prefix) => state.startsWith(prefix)) ? 'unstorable' : 'other';
}

/** `error` as callers of the store see it; what is not the database's (a refusal of `decide`) stays as it is. */
export function toAdminError(error: unknown, outcome: string): unknown {
  if (error instanceof AdminError) return error;
  switch (faultOf(error)) {
    case 'unreachable':
      return unavailable(error, outcome);
    case 'retry':
    case 'busy':
      return new AdminError(
        code.unavailable,
        'STORE_BUSY',
        `the database is busy with other writers; ${outcome}`,
        [],
        error,
      );
    case 'unstorable':
      return new AdminError(
        code.invalidArgument,
        'NOT_STORABLE',
        `the database cannot keep this: ${reasonOf(error)}`,
        [],
        error,
      );
    case 'other':
      return error;
  }
}

export function unavailable(cause: unknown, outcome: string): AdminError {
  const message = `cannot reach the database (${reasonOf(cause)}); ${outcome}`;
  return new AdminError(code.unavailable, 'STORE_UNAVAILABLE', message, [], cause);
}

/** The innermost words: drizzle's own contain the statement, and node's are empty when several addresses were tried. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  if (!(error instanceof Error)) return String(error);
  if (error.cause !== undefined) return reasonOf(error.cause);
  return error.message || error.name;
}

/** Only errors that a server sent have a severity; node's `EPIPE` looks like an SQLSTATE. */
function sqlState(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ('severity' in at && 'code' in at && typeof at.code === 'string') return at.code;
  }
  return undefined;
}
