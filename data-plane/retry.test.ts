import { describe, expect, it } from 'vitest';
import { ProxyError, type ErrorKind } from './errors.js';
import { mayRetry, needsBudget, RetryBudget } from './retry.js';

describe('mayRetry', () => {
  it.each<{
    kind: ErrorKind;
    method: string;
    attempts?: number;
    maxAttempts?: number;
    replayable?: boolean;
    idempotent?: boolean;
    want: boolean;
  }>([
    { kind: 'connect_failed', method: 'POST', want: true },
    { kind: 'connect_failed', method: 'POST', replayable: false, want: false },
    { kind: 'connect_failed', method: 'GET', attempts: 2, want: false },
    { kind: 'upstream_unsent', method: 'PATCH', want: true },
    { kind: 'upstream_unsent', method: 'POST', attempts: 5, want: true },
    { kind: 'upstream_unsent', method: 'POST', attempts: 6, want: false },
    { kind: 'upstream_unsent', method: 'POST', maxAttempts: 1, want: false },
    { kind: 'upstream_reset', method: 'GET', want: true },
    { kind: 'upstream_reset', method: 'PUT', want: true },
    { kind: 'upstream_reset', method: 'POST', want: false },
    { kind: 'upstream_reset', method: 'POST', idempotent: true, want: true },
    { kind: 'upstream_malformed', method: 'POST', idempotent: true, want: false },
    { kind: 'upstream_timeout', method: 'POST', want: false },
    { kind: 'upstream_malformed', method: 'GET', want: false },
    { kind: 'client_closed', method: 'GET', want: false },
  ])('$kind of a $method (attempt $attempts, replayable $replayable): $want', (row) => {
    const { kind, method, attempts = 1, maxAttempts = 2, replayable = true, idempotent = false, want } = row;

    expect(mayRetry({ error: new ProxyError(kind), method, idempotent, attempts, maxAttempts, replayable })).toBe(want);
  });
});

it.each<[ErrorKind, boolean]>([
  ['connect_failed', false],
  ['upstream_unsent', false],
  ['pool_exhausted', true],
  ['upstream_reset', true],
])('another attempt after %s needs budget: %s', (kind, want) => {
  expect(needsBudget(new ProxyError(kind))).toBe(want);
});

describe('RetryBudget', () => {
  it('lets three retries run at any load, and a share of the requests in flight above that', () => {
    const budget = new RetryBudget();

    expect([1, 2, 3, 4].map(() => budget.take(1, 20))).toEqual([true, true, true, false]);
    expect([1, 2, 3].map(() => budget.take(25, 20))).toEqual([true, true, false]);
    budget.giveBack();
    expect(budget.take(25, 20)).toBe(true);
  });
});
