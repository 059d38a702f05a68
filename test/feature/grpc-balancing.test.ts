import { constants } from 'node:http2';
import { status } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { payload } from '../support/interop/interop.js';
import { answerOk, type StreamHandler } from '../support/interop/raw.js';
import { useGrpcRig } from '../support/interop/rig.js';

/** Calls are balanced, judged and sent again one by one, whatever connection they came on. */

const { gatewayTo, clientOf, interopServer, rawServer } = useGrpcRig();

test('the calls of one connection go to all endpoints in turn', async () => {
  const [a, b] = [await interopServer(), await interopServer()];
  const client = clientOf(await gatewayTo([a.port, b.port]));

  for (let i = 0; i < 20; i++) await client.unary('EmptyCall');

  expect([a.metadata.length, b.metadata.length]).toEqual([10, 10]);
});

test('streams of one connection are on different endpoints at the same time', async () => {
  const [a, b] = [await interopServer(), await interopServer()];
  const client = clientOf(await gatewayTo([a.port, b.port]));

  const calls = Array.from({ length: 4 }, () => client.duplex('FullDuplexCall').on('data', () => {}));

  await expect.poll(() => [a.metadata.length, b.metadata.length]).toEqual([2, 2]);
  for (const call of calls) call.end();
});

describe('what a call ends with is what counts', () => {
  async function codesOf(answer: { code: number }, calls: number): Promise<number[]> {
    const failing = await rawServer((stream) => {
      const fields = { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': answer.code };
      stream.respond(fields, { endStream: true });
    });
    const client = clientOf(await gatewayTo([failing, (await interopServer()).port]));
    const codes: number[] = [];
    for (let i = 0; i < calls; i++) codes.push((await client.unary('EmptyCall')).status.code);
    return codes;
  }

  test('an endpoint that answers UNAVAILABLE with HTTP status 200 is taken out', async () => {
    const codes = await codesOf({ code: status.UNAVAILABLE }, 24);

    expect(codes.filter((code) => code === status.UNAVAILABLE)).toHaveLength(5);
    expect(codes.slice(-12)).toEqual(Array.from({ length: 12 }, () => status.OK));
  });

  test('one that answers NOT_FOUND is not', async () => {
    const codes = await codesOf({ code: status.NOT_FOUND }, 24);

    expect(codes.filter((code) => code === status.NOT_FOUND)).toHaveLength(12);
  });
});

describe('a call that the service surely did not look at', () => {
  /** Refuses every call when its request has come in full. */
  const refusing: StreamHandler = (stream) => {
    stream.resume().on('end', () => stream.close(constants.NGHTTP2_REFUSED_STREAM));
  };

  test('goes to another endpoint with all that it has sent', async () => {
    const server = await interopServer();
    const gateway = await gatewayTo([await rawServer(refusing), server.port]);
    const client = clientOf(gateway);

    for (const bytes of [0, 1, 60_000]) {
      const { status: ended, response } = await client.unary('UnaryCall', { responseSize: 7, ...payload(bytes) });
      expect(ended.code).toBe(status.OK);
      expect(response).toEqual(payload(7));
    }
    expect(server.metadata).toHaveLength(3);
    expect(gateway.metrics.route('interop').retries).toBeGreaterThan(0);
  });

  test('is UNAVAILABLE when it has sent more than is kept', async () => {
    const client = clientOf(await gatewayTo([await rawServer(refusing)]));

    const { status: ended } = await client.unary('UnaryCall', payload(100_000));

    expect(ended.code).toBe(status.UNAVAILABLE);
    expect(ended.metadata.get('x-sluice-error')).toEqual(['upstream_unsent']);
  });

  test('is tried more often than one that failed', async () => {
    let calls = 0;
    const port = await rawServer((stream) => {
      if (++calls > 3) answerOk(stream);
      else stream.close(constants.NGHTTP2_REFUSED_STREAM);
    });

    const { status: ended } = await clientOf(await gatewayTo([port])).unary('EmptyCall');

    expect([ended.code, calls]).toEqual([status.OK, 4]);
  });

  test('goes to another connection after a GOAWAY below it', async () => {
    let sessions = 0;
    let streams = 0;
    const port = await rawServer((stream) => {
      streams++;
      if (stream.id === 1) answerOk(stream);
      else stream.session?.goaway(constants.NGHTTP2_NO_ERROR, 1);
      if (stream.id === 1) sessions++;
    });
    const client = clientOf(await gatewayTo([port, (await interopServer()).port]));

    const codes: number[] = [];
    for (let i = 0; i < 8; i++) codes.push((await client.unary('EmptyCall')).status.code);

    expect(codes).toEqual(Array.from({ length: 8 }, () => status.OK));
    expect(streams).toBeGreaterThan(sessions);
  });

  test('goes elsewhere however many fail at a time', async () => {
    const server = await interopServer();
    const client = clientOf(await gatewayTo([await rawServer(refusing), server.port]));

    const outcomes = await Promise.all(Array.from({ length: 60 }, () => client.unary('UnaryCall', payload(10))));

    expect(outcomes.map(({ status: { code } }) => code)).toEqual(Array.from({ length: 60 }, () => status.OK));
    expect(server.metadata).toHaveLength(60);
  });
});

test('a call that may have been carried out goes elsewhere only where the config says that it may be carried out twice', async () => {
  const broken = await rawServer((stream) => void stream.resume().on('end', () => stream.session?.destroy()));
  const { port } = await interopServer();
  const plain = await gatewayTo([broken, port]);
  const idempotent = await gatewayTo([broken, port], { service: { retries: { idempotent: true } } });

  const codes: number[][] = [];
  for (const client of [clientOf(plain), clientOf(idempotent)]) {
    const outcomes = [await client.unary('EmptyCall'), await client.unary('EmptyCall')];
    codes.push(outcomes.map(({ status: { code } }) => code).toSorted((a, b) => a - b));
  }

  expect(codes).toEqual([
    [status.OK, status.UNAVAILABLE],
    [status.OK, status.OK],
  ]);
});
