import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import {
  brotliCompressSync,
  brotliDecompressSync,
  createGunzip,
  deflateRawSync,
  deflateSync,
  gunzipSync,
  gzipSync,
  inflateSync,
} from 'node:zlib';
import type { ServerReadableStream, ServerWritableStream } from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { TranscodeProfile } from '../../proto/gen/sluice/v1/config_pb.js';
import { TranscodedServices, type Json } from '../support/transcoding.js';

const services = new TranscodedServices();
const profiles = [TranscodeProfile.GRPC_GATEWAY, TranscodeProfile.ENVOY, TranscodeProfile.STRICT];

interface Received {
  readonly response: IncomingMessage;
  readonly body: Buffer;
}

/** The bytes as they came. */
async function send(
  url: string,
  method: string,
  headers: Record<string, string>,
  body?: Uint8Array,
): Promise<Received> {
  const sent = request(url, { method, headers, agent: false });
  sent.on('error', () => {});
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { response, body: Buffer.concat(chunks) };
}

const json = { 'content-type': 'application/json' };
const long = { title: 'word '.repeat(1_000) };

describe('requests', () => {
  test.each([
    ['gzip', gzipSync],
    ['x-gzip', gzipSync],
    ['deflate', deflateSync],
    ['deflate', deflateRawSync],
    ['br', brotliCompressSync],
    ['GZIP', gzipSync],
    ['identity', (bytes: Buffer): Buffer => bytes],
  ] as const)('CP1 a body in %s is inflated (%#)', async (coding, encode) => {
    const { url, calls } = await services.library();
    const body = encode(Buffer.from('{"title":"T","copies":"9007199254740993"}'));

    const { response } = await send(`${url}/v1/shelves/7/books`, 'POST', { ...json, 'content-encoding': coding }, body);

    expect(response.statusCode).toBe(200);
    expect(calls).toMatchObject([{ message: { shelf: '7', book: { title: 'T', copies: '9007199254740993' } } }]);
  });

  test.each(profiles)(
    'CP1 an unknown coding is a 415 that names those that are known (profile %i)',
    async (profile) => {
      const { url, calls } = await services.library({ profile });

      const headers = { ...json, 'content-encoding': 'zstd' };
      const { response } = await send(`${url}/v1/shelves/7/books`, 'POST', headers, Buffer.from('{}'));

      expect(response.statusCode).toBe(415);
      expect(response.headers['accept-encoding']).toBe('gzip, deflate, br');
      expect(calls).toEqual([]);
    },
  );

  test.each([
    ['no gzip', Buffer.from('{"title":"T"}')],
    ['gzip that breaks off', gzipSync('{"title":"T"}').subarray(0, 20)],
  ])('CP1 %s is a 400', async (_what, body) => {
    const { url, calls } = await services.library();

    const headers = { ...json, 'content-encoding': 'gzip' };
    const answer = await send(`${url}/v1/shelves/7/books`, 'POST', headers, body);

    expect(answer.response.statusCode).toBe(400);
    expect(answer.body.toString()).toContain('The body is not gzip.');
    expect(calls).toEqual([]);
  });

  test('CP1, SZ1 a bomb is a 413 as soon as it passes the limit', async () => {
    const { url, calls } = await services.library();
    const bomb = gzipSync(Buffer.alloc(300_000_000, 0x20));
    const before = process.memoryUsage().rss;

    const headers = { ...json, 'content-encoding': 'gzip' };
    const { response } = await send(`${url}/v1/shelves/7/books`, 'POST', headers, bomb);

    expect(response.statusCode).toBe(413);
    expect(process.memoryUsage().rss - before).toBeLessThan(100e6);
    expect(calls).toEqual([]);
  });

  test('CP1, ST7, HB3 client streams and uploads are inflated as they come', async () => {
    const got: unknown[] = [];
    const { url } = await services.library({
      handlers: {
        Import: (call: ServerReadableStream<Json, Json>, answer: (error: null, value: Json) => void) => {
          call.on('data', ({ book }: { book: Json }) => got.push(book['title'])).on('end', () => answer(null, {}));
        },
        UploadParts: (call: ServerReadableStream<Json, Json>, answer: (error: null, value: Json) => void) => {
          call.on('data', ({ data }: { data: string }) => got.push(Buffer.from(data, 'base64').length));
          call.on('end', () => answer(null, {}));
        },
      },
    });
    const headers = { 'content-encoding': 'gzip' };

    await send(`${url}/v1/shelves/7/books:import`, 'POST', headers, gzipSync('{"title":"a"}\n{"title":"b"}'));
    expect(got.splice(0)).toEqual(['a', 'b']);

    const upload = await send(
      `${url}/v1/parts`,
      'POST',
      { ...headers, 'content-type': 'image/x' },
      gzipSync(Buffer.alloc(1_000_000)),
    );
    expect(upload.response.statusCode).toBe(200);
    expect((got as number[]).reduce((sum, bytes) => sum + bytes)).toBe(1_000_000);
  });
});

describe('answers', () => {
  test.each([
    ['gzip', 'gzip', gunzipSync],
    ['gzip, deflate, br', 'gzip', gunzipSync],
    ['br;q=1, gzip;q=0.9', 'br', brotliDecompressSync],
    ['deflate', 'deflate', inflateSync],
    ['*', 'gzip', gunzipSync],
    ['gzip;q=0, *;q=0.5', 'br', brotliDecompressSync],
  ] as const)('CP2 Accept-Encoding: %s is answered in %s', async (accepted, coding, decode) => {
    const { url } = await services.library({ answer: long });

    const { response, body } = await send(`${url}/v1/books/1`, 'GET', { 'accept-encoding': accepted });

    expect(response.headers).toMatchObject({ 'content-encoding': coding, vary: 'Accept-Encoding' });
    expect(response.headers['content-length']).toBe(String(body.length));
    expect(JSON.parse(decode(body).toString())).toMatchObject(long);
  });

  test.each(['', 'identity', 'gzip;q=0', 'identity;q=1, gzip;q=0.5', 'zstd', 'gzip;q=x'])(
    'CP2 Accept-Encoding: "%s" is answered as it is',
    async (accepted) => {
      const { url } = await services.library({ answer: long });

      const { response, body } = await send(`${url}/v1/books/1`, 'GET', { 'accept-encoding': accepted });

      expect(response.headers['content-encoding']).toBeUndefined();
      expect(JSON.parse(body.toString())).toMatchObject(long);
    },
  );

  test('CP2 a short answer, and HEAD, are left as they are', async () => {
    const { url } = await services.library({ answer: { title: 'T' } });
    const headers = { 'accept-encoding': 'gzip' };

    expect((await send(`${url}/v1/books/1`, 'GET', headers)).response.headers['content-encoding']).toBeUndefined();
    expect((await send(`${url}/v1/books/1`, 'HEAD', headers)).response.headers['content-encoding']).toBeUndefined();
  });

  test.each(['application/x-ndjson', 'text/event-stream', 'application/json'])(
    'CP2, ST5 each message of a compressed stream of %s is there before the next is made',
    async (accept) => {
      let stream: ServerWritableStream<Json, Json> | undefined;
      const { url } = await services.library({
        handlers: { Watch: (call: ServerWritableStream<Json, Json>) => void (stream = call).write({ title: 'a' }) },
      });
      const sent = request(`${url}/v1/shelves/1/books/2:watch`, {
        headers: { accept, 'accept-encoding': 'gzip' },
        agent: false,
      });
      sent.end();
      const [response] = (await once(sent, 'response')) as [IncomingMessage];
      const plain = response.pipe(createGunzip());

      const [first] = (await once(plain, 'data')) as [Buffer];
      stream?.write({ title: 'b' });
      const [second] = (await once(plain, 'data')) as [Buffer];
      stream?.end();
      await once(plain.resume(), 'end');

      expect(response.headers['content-encoding']).toBe('gzip');
      expect([first.toString(), second.toString()]).toEqual([
        expect.stringContaining('"title":"a"'),
        expect.stringContaining('"title":"b"'),
      ]);
    },
  );
});

describe('messages of the service', () => {
  test.each([
    ['deflate', 1],
    ['gzip', 2],
  ])('CP3 that are compressed with %s are inflated, one or many', async (_encoding, algorithm) => {
    const { url } = await services.library({
      answer: long,
      server: { 'grpc.default_compression_algorithm': algorithm },
      handlers: {
        Watch: (call: ServerWritableStream<Json, Json>) => {
          for (let i = 0; i < 3; i++) call.write({ ...long, copies: String(i) });
          call.end();
        },
      },
    });

    const unary = await send(`${url}/v1/books/1`, 'GET', {});
    const stream = await send(`${url}/v1/shelves/1/books/2:watch`, 'GET', { accept: 'application/x-ndjson' });

    expect(JSON.parse(unary.body.toString())).toMatchObject(long);
    const lines = stream.body.toString().trim().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as Json)['copies'])).toEqual(['0', '1', '2']);
  });

  test('CP3, SZ2 a message that inflates beyond the limit is a 502', async () => {
    const { url } = await services.library({
      answer: { title: 'x'.repeat(5_000_000) },
      server: { 'grpc.default_compression_algorithm': 2 },
    });

    const { response, body } = await send(`${url}/v1/books/1`, 'GET', {});

    expect(response.statusCode).toBe(502);
    expect(JSON.parse(body.toString())).toMatchObject({ code: 8 });
  });
});
