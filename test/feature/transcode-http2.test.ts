import { once } from 'node:events';
import { connect, type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2';
import { Metadata, status, type ServerDuplexStream, type ServerWritableStream } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { TranscodeProfile } from '../../proto/gen/sluice/v1/config_pb.js';
import { eventually } from '../support/load.js';
import { TranscodedServices, type Json } from '../support/transcoding.js';

const services = new TranscodedServices();

async function session(url: string): Promise<ClientHttp2Session> {
  const client = connect(url).on('error', () => {});
  services.defer(() => client.destroy());
  await once(client, 'remoteSettings');
  return client;
}

async function headOf(stream: ClientHttp2Stream): Promise<IncomingHttpHeaders & { ':status'?: number }> {
  const [head] = (await once(stream, 'response')) as [IncomingHttpHeaders & { ':status'?: number }];
  return head;
}

async function nextText(stream: ClientHttp2Stream): Promise<string> {
  const [chunk] = (await once(stream, 'data')) as [Buffer];
  return chunk.toString();
}

const chat = (call: ServerDuplexStream<Json, Json>): void => {
  call.on('data', ({ title }: Json) => call.write({ title: `${String(title)}!` }));
  call.on('end', () => call.end());
};
const watchPath = '/v1/shelves/1/books/2:watch';

test('ST10 both directions of a call run at the same time, over HTTP/2', async () => {
  const { url } = await services.library({ handlers: { Chat: chat }, profile: TranscodeProfile.ENVOY });
  const stream = (await session(url)).request({
    ':method': 'POST',
    ':path': '/v1/chat',
    accept: 'application/x-ndjson',
  });

  stream.write('{"title":"a"}');
  expect((await headOf(stream))[':status']).toBe(200);
  expect(await nextText(stream)).toBe('{"title":"a!"}\n');
  stream.write('{"title":"b"}');
  expect(await nextText(stream)).toBe('{"title":"b!"}\n');
  stream.end();
  await once(stream.resume(), 'end');
});

test('ST4, HD6 over HTTP/2 an error within a stream is its last line and its trailers, and resets an array', async () => {
  const Watch = (call: ServerWritableStream<Json, Json>): void => {
    call.write({ title: 'a' });
    call.emit('error', { code: status.DATA_LOSS, details: 'lost', metadata: new Metadata() });
  };
  const { url } = await services.library({ handlers: { Watch }, profile: TranscodeProfile.ENVOY });
  const client = await session(url);

  const lines = client.request({ ':path': watchPath, accept: 'application/x-ndjson', te: 'trailers' });
  const trailers = once(lines, 'trailers');
  let text = '';
  for await (const chunk of lines) text += String(chunk);
  expect(text).toMatch(/^\{"title":"a"\}\n\{"error":\{"code":15,.*\}\}\n$/);
  expect((await trailers)[0]).toMatchObject({ 'grpc-status': '15' });

  const array = client.request({ ':path': watchPath }).on('error', () => {});
  array.resume();
  await new Promise((resolve) => array.on('close', resolve));
  expect(array.rstCode).not.toBe(0);
});

test('HD10 a reset of an HTTP/2 stream cancels the call within a second, and leaves the others', async () => {
  let cancelled = false;
  const Watch = (call: ServerWritableStream<Json, Json>): void => {
    call.on('cancelled', () => (cancelled = true));
    call.write({ title: 'a' });
  };
  const { url } = await services.library({ handlers: { Watch }, answer: { title: 'T' } });
  const client = await session(url);
  const stream = client.request({ ':path': watchPath }).on('error', () => {});
  await nextText(stream);

  stream.close(8);

  await eventually('the cancellation', 1_000, () => cancelled);
  const other = client.request({ ':path': '/v1/books/1' });
  expect((await headOf(other))[':status']).toBe(200);
});

test('ST12 a streaming method is a WebSocket over HTTP/2 as well', async () => {
  const { url } = await services.library({ handlers: { Chat: chat }, profile: TranscodeProfile.ENVOY });
  const stream = (await session(url)).request(
    { ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/v1/chat', 'sec-websocket-version': '13' },
    { endStream: false },
  );

  expect((await headOf(stream))[':status']).toBe(200);
  stream.write(masked('{"title":"a"}'));
  expect(await nextText(stream)).toBe(
    Buffer.concat([Buffer.from([0x81, 14]), Buffer.from('{"title":"a!"}')]).toString(),
  );
  stream.write(masked(''));
  expect(await nextText(stream)).toBe(Buffer.from([0x88, 2, 3, 232]).toString());
  stream.end();
});

function masked(text: string): Buffer {
  const mask = [1, 2, 3, 4];
  const bytes = Buffer.from(text).map((byte, i) => byte ^ (mask[i & 3] as number));
  return Buffer.concat([Buffer.from([0x81, 0x80 | bytes.length, ...mask]), bytes]);
}
