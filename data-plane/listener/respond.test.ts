import { describe, expect, test } from 'vitest';
import { errorTable, ProxyError, type ErrorKind } from '../errors.js';
import { RequestIds } from './request-id.js';
import { errorAnswer } from './respond.js';

const parse = (bytes: Uint8Array): unknown => JSON.parse(Buffer.from(bytes).toString());

describe('errorAnswer', () => {
  test('tells kind, code and request id as google.rpc.Status, and nothing of the cause', () => {
    const { status, headers, body } = errorAnswer(new ProxyError('no_route', new Error('secret')), 'id-1', undefined);

    expect(status).toBe(404);
    expect(headers).toEqual(['Content-Type', 'application/json', 'X-Sluice-Error', 'no_route']);
    expect(parse(body.bytes)).toEqual({
      code: 5,
      message: 'No route matches this request.',
      details: [
        {
          '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
          reason: 'NO_ROUTE',
          domain: 'sluice',
          metadata: { request_id: 'id-1' },
        },
      ],
    });
  });

  test('takes message, status, fields and violations from the detail', () => {
    const detail = {
      message: 'Not so.',
      status: 308,
      headers: ['Location', '/b'],
      violations: [{ field: 'order.id', description: 'must be set' }],
    };
    const { status, headers, body } = errorAnswer(
      new ProxyError('bad_argument', undefined, detail),
      'id',
      'application/json',
    );

    expect(status).toBe(308);
    expect(headers.slice(-2)).toEqual(['Location', '/b']);
    expect(parse(body.bytes)).toMatchObject({
      message: 'Not so.',
      details: [
        {},
        {
          '@type': 'type.googleapis.com/google.rpc.BadRequest',
          fieldViolations: [{ field: 'order.id', description: 'must be set' }],
        },
      ],
    });
  });

  test.each(['application/grpc', 'application/grpc+proto', 'Application/gRPC-Web+proto'])(
    'answers %s callers with a gRPC status',
    (contentType) => {
      const { status, headers, body } = errorAnswer(
        new ProxyError('no_endpoint', undefined, { message: 'größe 100%' }),
        'id',
        contentType,
      );

      expect(status).toBe(200);
      expect(headers).toEqual([
        'Content-Type',
        contentType,
        'grpc-status',
        '14',
        'grpc-message',
        'gr%C3%B6%C3%9Fe 100%25',
        'x-sluice-error',
        'no_endpoint',
      ]);
      expect(body.length).toBe(0);
    },
  );

  test.each(Object.keys(errorTable) as ErrorKind[])('%s has an answer', (kind) => {
    const { status, body } = errorAnswer(new ProxyError(kind), 'id', undefined);

    expect(status).toBeGreaterThanOrEqual(400);
    expect(parse(body.bytes)).toMatchObject({ details: [{ reason: kind.toUpperCase() }] });
  });
});

describe('RequestIds', () => {
  test('are unique, of one length, and sort as they were made', () => {
    const ids = new RequestIds(1_700_000_000_000, 0xdeadbeef);
    const made = Array.from({ length: 20_000 }, () => ids.next());

    expect(new Set(made).size).toBe(made.length);
    expect(new Set(made.map(({ length }) => length)).size).toBe(1);
    expect([...made].sort()).toEqual(made);
  });
});
