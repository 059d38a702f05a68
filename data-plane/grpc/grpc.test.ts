import { describe, expect, test } from 'vitest';
import { BufferedBody, type BodySink, type BodySource } from '../body.js';
import { ProxyError } from '../errors.js';
import type { HeaderList } from '../headers.js';
import { CallReply, grpcTimeout, isGrpcType, parseTimeout, statusCodeIn, statusFields, withTimeout } from './grpc.js';

test.each([
  ['1H', 3_600_000],
  ['2M', 120_000],
  ['3S', 3_000],
  ['4m', 4],
  ['5u', 0.005],
  ['6n', 0.000006],
  ['0S', 0],
  ['99999999H', 99_999_999 * 3_600_000],
  ['123456789m', null],
  ['1s', null],
  ['-1S', null],
  ['S', null],
  ['', null],
])('the timeout %j is %s ms', (text, want) => {
  if (want === null) expect(parseTimeout(text)).toBeNull();
  else expect(parseTimeout(text)).toBeCloseTo(want, 9);
});

test.each([
  [1, '1000u'],
  [99_999, '99999000u'],
  [100_000, '100000m'],
  [99_999_999.9, '99999999m'],
  [1e8, '100000S'],
  [1e15, '99999999S'],
  [0.0001, '1u'],
])('%s ms are written as %s', (ms, want) => {
  expect(grpcTimeout(ms)).toBe(want);
});

test('a call without a deadline has no timeout', () => {
  expect(withTimeout(['a', 'b'], Infinity)).toEqual(['a', 'b']);
  expect(withTimeout(['a', 'b'], -5)).toEqual(['a', 'b', 'grpc-timeout', '1000u']);
});

test.each([
  ['application/grpc', true],
  ['application/grpc+proto', true],
  ['Application/GRPC;charset=utf-8', true],
  ['application/grpc-web', false],
  ['application/grpcx', false],
  ['', false],
])('%j is gRPC: %s', (type, want) => {
  expect(isGrpcType(type)).toBe(want);
});

test.each<[HeaderList, number | null]>([
  [['grpc-status', '0'], 0],
  [['Grpc-Status', '99'], 99],
  [['grpc-status', 'x'], 2],
  [[], null],
])('%j tells status %s', (fields, want) => {
  expect(statusCodeIn(fields)).toBe(want);
});

describe('CallReply', () => {
  class Sink implements BodySink {
    readonly chunks: string[] = [];
    readonly ends: (HeaderList | null)[] = [];

    write(chunk: Uint8Array): boolean {
      this.chunks.push(Buffer.from(chunk).toString());
      return true;
    }

    end(trailers: HeaderList | null): void {
      this.ends.push(trailers);
    }

    fail(): void {}
  }

  function started(source: BodySource = new BufferedBody(Buffer.from('x'), ['grpc-status', '5'])): {
    reply: CallReply;
    sink: Sink;
    codes: number[];
    errors: ProxyError[];
  } {
    const codes: number[] = [];
    const errors: ProxyError[] = [];
    const observer = { ended: (code: number) => codes.push(code), broken: (error: ProxyError) => errors.push(error) };
    const sink = new Sink();
    const reply = new CallReply(source, observer, null);
    reply.start(sink);
    return { reply, sink, codes, errors };
  }

  test('passes messages and trailers on, and tells the status', () => {
    const { sink, codes } = started();

    expect(sink).toMatchObject({ chunks: ['x'], ends: [['grpc-status', '5']] });
    expect(codes).toEqual([5]);
  });

  test('has no status of its own once it has ended', () => {
    const { reply, sink } = started();

    expect(reply.breakOff(new ProxyError('request_deadline'))).toBe(false);
    expect(sink.ends).toHaveLength(1);
  });

  test('that breaks off leaves it to the observer, who can end it with a status once', () => {
    const { reply, sink, codes, errors } = started({
      length: null,
      start: () => {},
      resume: () => {},
      cancel: () => {},
    });
    const error = new ProxyError('upstream_reset');

    reply.fail(error);
    expect({ codes, errors }).toEqual({ codes: [14], errors: [error] });
    expect([reply.breakOff(error), reply.breakOff(error)]).toEqual([true, false]);
    expect(sink.ends).toEqual([statusFields(error)]);
  });
});
