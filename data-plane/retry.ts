import type { ProxyError } from './errors.js';

/** RFC 9110 section 9.2.2. A request with another method may have been carried out though its answer was lost. */
const idempotentMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

/**
 * When a service ends a connection, it refuses all that is on its way there, and the next connection may end as soon: such
 * calls are not held to the attempts that are for failures, but to so many more.
 */
const moreWhenUnsent = 4;

/** Never fewer retries than this at a time, however few requests are in flight. */
const minRetriesInFlight = 3;

export interface FailedAttempt {
  readonly error: ProxyError;
  readonly method: string;
  /** The request may be carried out twice, whatever its method. */
  readonly idempotent: boolean;
  /** Attempts so far, this one included. */
  readonly attempts: number;
  readonly maxAttempts: number;
  /** The request body is in memory, or no byte of it has been read. */
  readonly replayable: boolean;
}

/** Whether the request may be sent again, to another endpoint. Nothing has been answered to the client when this is asked. */
export function mayRetry({ error, method, idempotent, attempts, maxAttempts, replayable }: FailedAttempt): boolean {
  const mostAttempts = maxAttempts > 1 && error.kind === 'upstream_unsent' ? maxAttempts + moreWhenUnsent : maxAttempts;
  if (attempts >= mostAttempts || !replayable) return false;
  switch (error.retry) {
    case 'no':
      return false;
    case 'if-unsent':
      return true;
    case 'idempotent':
      return idempotent || idempotentMethods.has(method);
  }
}

/** An attempt that the endpoint never looked at has cost the service nothing: the next one is no additional load. */
export function needsBudget({ kind, retry }: ProxyError): boolean {
  return retry !== 'if-unsent' || kind === 'pool_exhausted';
}

/** Bounds the retries of one service, so that they cannot multiply the load of a service that fails as a whole. */
export class RetryBudget {
  #retriesInFlight = 0;

  /** Takes a place among the retries in flight; false when the budget is spent. */
  take(requestsInFlight: number, budgetPercent: number): boolean {
    if (this.#retriesInFlight >= Math.max(minRetriesInFlight, (requestsInFlight * budgetPercent) / 100)) return false;
    this.#retriesInFlight++;
    return true;
  }

  giveBack(): void {
    this.#retriesInFlight--;
  }
}
