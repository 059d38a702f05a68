import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import {
  Metadata,
  status,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerWritableStream,
} from '@grpc/grpc-js';
import { beforeAll, expect, test } from 'vitest';
import { Protocol, TranscodeProfile } from '../../proto/gen/sluice/v1/config_pb.js';
import { useClosing } from '../support/closing.js';
import { buildDescriptors } from '../support/descriptors.js';
import { startGateway } from '../support/gateway.js';
import { startGrpcService, type Handlers } from '../support/grpc-service.js';

type Json = Record<string, unknown>;

const closing = useClosing();
let descriptorSet: Uint8Array;

beforeAll(() => {
  const library = new URL('../../data-plane/transcoder/fixtures/library.proto', import.meta.url);
  descriptorSet = buildDescriptors({ 'library.proto': readFileSync(library, 'utf8') });
});

/** A gateway before a library with these methods; the URL to call. */
async function libraryWith(handlers: Handlers, profile = TranscodeProfile.GRPC_GATEWAY): Promise<string> {
  const service = await startGrpcService(descriptorSet, 'library.v1.Library', handlers);
  closing.push(() => service.close());
  const gateway = await startGateway({
    services: [{ name: 'library', protocol: Protocol.GRPC }],
    schemas: [{ name: 'library', descriptorSet }],
    routes: [{ name: 'library', service: 'library', transcode: { schema: 'library', profile } }],
    endpoints: { library: [service.port] },
  });
  closing.push(() => gateway.close());
  return gateway.url;
}

function send(url: string, method: string, headers: Record<string, string> = {}): ClientRequest {
  return request(url, { method, headers, agent: false });
}

async function responseOf(sent: ClientRequest): Promise<IncomingMessage> {
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  return response;
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

const watchUrl = '/v1/shelves/1/books/2:watch';

test('ST1, ST5 a message of a server stream is with the client before the next one is made', async () => {
  let stream: ServerWritableStream<Json, Json> | undefined;
  const url = await libraryWith({
    Watch: (call: ServerWritableStream<Json, Json>) => void (stream = call).write({ title: 'a' }),
  });

  const sent = send(url + watchUrl, 'GET', { accept: 'application/x-ndjson' });
  sent.end();
  const response = await responseOf(sent);
  const [first] = (await once(response, 'data')) as [Buffer];
  expect(JSON.parse(first.toString())).toMatchObject({ title: 'a' });

  stream?.write({ title: 'b' });
  const [second] = (await once(response, 'data')) as [Buffer];
  expect(JSON.parse(second.toString())).toMatchObject({ title: 'b' });
  stream?.end();
  await once(response, 'end');
  expect(response.headers['content-type']).toBe('application/x-ndjson');
});

test('ST3, ST4 an error of a stream has its own status when it comes first, and its own line when it comes later', async () => {
  const url = await libraryWith({
    Watch: (call: ServerWritableStream<Json, Json>) => {
      if (call.request['name'] === 'shelves/1/books/2') call.write({ title: 'a' });
      call.emit('error', { code: status.NOT_FOUND, details: 'gone', metadata: new Metadata() });
    },
  });

  const later = send(url + watchUrl, 'GET');
  later.end();
  const lines = (await textOf(await responseOf(later))).trimEnd().split('\n');
  expect(lines.map((line) => Object.keys(JSON.parse(line) as Json)[0])).toEqual(['result', 'error']);

  const first = send(`${url}/v1/shelves/1/books/3:watch`, 'GET');
  first.end();
  expect((await responseOf(first)).statusCode).toBe(404);
});

test('ST4 a JSON array that an error breaks off is no complete answer', async () => {
  const url = await libraryWith(
    {
      Watch: (call: ServerWritableStream<Json, Json>) => {
        call.write({ title: 'a' });
        call.emit('error', { code: status.DATA_LOSS, details: 'lost', metadata: new Metadata() });
      },
    },
    TranscodeProfile.ENVOY,
  );

  const sent = send(url + watchUrl, 'GET');
  sent.end();
  sent.on('error', () => {});
  const response = await responseOf(sent);

  await expect(textOf(response)).rejects.toThrow('aborted');
});

test('ST7 a client stream in NDJSON becomes messages, and its one answer is plain', async () => {
  const titles: unknown[] = [];
  const url = await libraryWith({
    Import: (call: ServerReadableStream<Json, Json>, answer: (error: null, value: Json) => void) => {
      call.on('data', (message: { shelf?: string; book: Json }) => titles.push([message.shelf, message.book['title']]));
      call.on('end', () => answer(null, { books: titles.map(() => ({})) }));
    },
  });

  const sent = send(`${url}/v1/shelves/7/books:import`, 'POST');
  for (const title of ['a', 'b', 'c']) sent.write(`{"title":"${title}"}\n`);
  sent.end();
  const response = await responseOf(sent);

  expect(response.statusCode).toBe(200);
  expect(JSON.parse(await textOf(response))).toMatchObject({ books: [{}, {}, {}] });
  expect(titles).toEqual([
    ['7', 'a'],
    [undefined, 'b'],
    [undefined, 'c'],
  ]);
});

test('ST11 a malformed message of a client stream is a 400, and the service sees the call cancelled', async () => {
  let cancelled: (() => void) | undefined;
  const seen = new Promise<void>((resolve) => (cancelled = resolve));
  const url = await libraryWith({
    Import: (call: ServerReadableStream<Json, Json>) => {
      call.on('cancelled', () => cancelled?.());
      call.resume();
    },
  });

  const sent = send(`${url}/v1/shelves/7/books:import`, 'POST');
  sent.on('error', () => {});
  sent.write('{"title":"a"}{"title":');
  sent.write('7}');
  const response = await responseOf(sent);

  expect(response.statusCode).toBe(400);
  expect(await textOf(response)).toContain('message 2: is not a string');
  await seen;
  sent.destroy();
});

test('ST10 both directions of a call run at the same time, over HTTP/1.1', async () => {
  const url = await libraryWith({
    Chat: (call: ServerDuplexStream<Json, Json>) => {
      call.on('data', (message: Json) => call.write({ title: `${String(message['title'])}!` }));
      call.on('end', () => call.end());
    },
  });

  const sent = send(`${url}/v1/chat`, 'POST', { accept: 'application/x-ndjson' });
  sent.write('{"title":"a"}');
  const response = await responseOf(sent);
  const [first] = (await once(response, 'data')) as [Buffer];
  expect(JSON.parse(first.toString())).toMatchObject({ title: 'a!' });

  sent.write('{"title":"b"}');
  const [second] = (await once(response, 'data')) as [Buffer];
  expect(JSON.parse(second.toString())).toMatchObject({ title: 'b!' });
  sent.end();
  await once(response.resume(), 'end');
});

test('HD10 a client that resets its connection cancels the stream of the service', async () => {
  let cancelled: (() => void) | undefined;
  const seen = new Promise<void>((resolve) => (cancelled = resolve));
  const url = await libraryWith({
    Watch: (call: ServerWritableStream<Json, Json>) => {
      call.on('cancelled', () => cancelled?.());
      call.write({ title: 'a' });
    },
  });

  const sent = send(url + watchUrl, 'GET');
  sent.on('error', () => {});
  sent.end();
  const response = await responseOf(sent);
  await once(response, 'data');
  response.socket.resetAndDestroy();

  await seen;
});

test('ST6 a client that does not read stops the service', async () => {
  let written = 0;
  const url = await libraryWith({
    Watch: (call: ServerWritableStream<Json, Json>) => {
      const more = (): void => {
        while (!call.destroyed && !call.cancelled && written < 1e8) {
          written += 10_000;
          if (!call.write({ title: 'x'.repeat(10_000) })) {
            call.once('drain', more);
            return;
          }
        }
      };
      more();
    },
  });

  const sent = send(url + watchUrl, 'GET');
  sent.on('error', () => {});
  sent.end();
  const response = await responseOf(sent);
  response.pause();
  let before = -1;
  while (before !== written) {
    before = written;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }

  expect(written).toBeLessThan(20e6);
  sent.destroy();
});

test('HB3, HB4 an upload and a download of HttpBody are the bytes themselves', async () => {
  const got: Buffer[] = [];
  const url = await libraryWith(
    {
      UploadParts: (call: ServerReadableStream<Json, Json>, answer: (error: null, value: Json) => void) => {
        call.on('data', (part: { data?: string }) => got.push(Buffer.from(part.data ?? '', 'base64')));
        call.on('end', () => answer(null, {}));
      },
      Download: (call: ServerWritableStream<Json, Json>) => {
        call.write({ contentType: 'image/png', data: 'AAEC' });
        call.write({ data: '/w==' });
        call.end();
      },
    },
    TranscodeProfile.ENVOY,
  );
  const bytes = Buffer.alloc(700_000, 7);

  const up = send(`${url}/v1/parts`, 'POST', { 'content-type': 'image/png' });
  up.end(bytes);
  expect((await responseOf(up)).statusCode).toBe(200);
  expect(Buffer.concat(got).equals(bytes)).toBe(true);

  const down = send(`${url}/v1/download/n`, 'GET');
  down.end();
  const response = await responseOf(down);
  expect(response.headers['content-type']).toBe('image/png');
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  expect(Buffer.concat(chunks)).toEqual(Buffer.from([0, 1, 2, 0xff]));
});
