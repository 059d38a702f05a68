import { DrizzleQueryError } from 'drizzle-orm';
import { expect, it } from 'vitest';

import { AdminError, code } from '../errors.js';
import { faultOf, toAdminError } from './faults.js';

const failed = (cause: Error): Error => new DrizzleQueryError('select secret', [], cause);
const sql = (state: string, message = 'x'): Error =>
  failed(Object.assign(new Error(message), { severity: 'ERROR', code: state }));
const system = (name: string): Error => failed(Object.assign(new Error(name), { code: name }));

it.each([
  ['unreachable', system('ECONNREFUSED')],
  ['unreachable', system('EPIPE')],
  ['unreachable', failed(new Error('Query read timeout'))],
  ['unreachable', sql('57P01')],
  ['unreachable', sql('53300')],
  ['unreachable', sql('28P01')],
  ['unreachable', sql('25006')],
  ['retry', sql('40001')],
  ['retry', sql('40P01')],
  ['busy', sql('55P03')],
  ['busy', sql('57014')],
  ['unstorable', sql('22021')],
  ['unstorable', sql('54000')],
  ['other', sql('42P01')],
  ['other', new TypeError('a bug in decide')],
  ['other', new AdminError(code.aborted, 'ETAG_MISMATCH', 'x')],
] as const)('%s (%#)', (fault, error) => {
  expect(faultOf(error)).toBe(fault);
});

it('the error that callers see gives the innermost reason and never the statement', () => {
  const seen = toAdminError(sql('57P01', 'terminating connection'), 'nothing was written');

  expect(seen).toMatchObject({
    code: code.unavailable,
    reason: 'STORE_UNAVAILABLE',
    message: 'cannot reach the database (terminating connection); nothing was written',
  });
});

it('of several addresses that were tried the first gives the reason', () => {
  const seen = toAdminError(
    failed(new AggregateError([new Error('connect ECONNREFUSED ::1')], '')),
    'nothing was read',
  );

  expect(String(seen)).toContain('connect ECONNREFUSED ::1');
});

it('what is not the database’s fault stays the error that it is', () => {
  const error = new TypeError('a bug in decide');

  expect(toAdminError(error, 'nothing was written')).toBe(error);
});
