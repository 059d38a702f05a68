import { fromBinary, toJson } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import type { BodySink, BodySource } from '../../body.js';
import { ProxyError } from '../../errors.js';
import { headerValue, type HeaderList } from '../../headers.js';
import { framed, getBook, grpcHead, ok, present, registry, request, type Sent } from '../call/support.fixture.js';
import { prepareCall, readReply, type Answer, type GrpcCall } from '../transcoder.js';

const utf8 = new TextEncoder();

/** A body that a test sends by hand. */
class Script implements BodySource {
  readonly length = null;
  sink: BodySink | null = null;
  resumed = 0;
  cancelled: ProxyError | null = null;

  start(sink: BodySink): void {
    this.sink = sink;
  }

  resume(): void {
    this.resumed++;
  }

  cancel(reason: ProxyError): void {
    this.cancelled = reason;
  }

  send(bytes: Uint8Array): boolean {
    return present(this.sink).write(bytes);
  }
}

class Received implements BodySink {
  chunks: Uint8Array[] = [];
  ended: HeaderList | null | undefined;
  error: ProxyError | null = null;
  hasRoom = true;

  write(chunk: Uint8Array): boolean {
    this.chunks.push(chunk);
    return this.hasRoom;
  }

  end(trailers: HeaderList | null): void {
    this.ended = trailers;
  }

  fail(error: ProxyError): void {
    this.error = error;
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString();
  }
}

const watch: Sent = { ...getBook, template: '/v1/{name=shelves/*/books/*}:watch' };
const download: Sent = { method: 'GET', template: '/v1/download/{name}', variables: ['n'] };
const author = (name: string): Uint8Array => framed('library.v1.Book', { author: { name } });
const book = (name: string): string =>
  `{"name":"","title":"","author":{"name":"${name}"},"genre":"GENRE_UNSPECIFIED","copies":"0","tags":[],"published":null,"cover":""}`;

interface Reading {
  readonly source: Script;
  readonly received: Received;
  readonly answers: Answer[];
  readonly errors: ProxyError[];
}

/** Reads a reply of which the test sends the body. */
function reading(sent: Sent, headers: HeaderList = grpcHead): Reading {
  const source = new Script();
  const received = new Received();
  const answers: Answer[] = [];
  const errors: ProxyError[] = [];
  readReply(request(sent), 200, headers, source, {
    answered: (answer) => {
      answers.push(answer);
      answer.body.start(received);
    },
    failed: (error) => errors.push(error),
  });
  return { source, received, answers, errors };
}

function finished(sent: Sent, bodies: Uint8Array[], trailers: HeaderList): Reading {
  const read = reading(sent);
  for (const body of bodies) read.source.send(body);
  present(read.source.sink).end(trailers);
  return read;
}

const as = (profile: 'envoy' | 'strict'): Sent => ({ ...watch, profile });
const accepting = (accept: string): Sent => ({ ...watch, headers: ['Accept', accept] });
const failed: HeaderList = ['grpc-status', '5', 'grpc-message', 'gone'];
const status = '{"code":5,"message":"gone","details":[]}';

test.each([
  [
    'grpc-gateway',
    watch,
    'application/json',
    `{"result":${book('a')}}\n{"result":${book('b')}}\n`,
    '',
    `{"error":${status}}\n`,
  ],
  [
    'Accept: NDJSON',
    accepting('application/x-ndjson'),
    'application/x-ndjson',
    `${book('a')}\n${book('b')}\n`,
    '',
    `{"error":${status}}\n`,
  ],
  [
    'Accept: JSON lines',
    accepting('text/html, application/jsonl;q=0.9'),
    'application/jsonl',
    `${book('a')}\n${book('b')}\n`,
    '',
    `{"error":${status}}\n`,
  ],
  [
    'Accept: events',
    accepting('text/event-stream'),
    'text/event-stream',
    `data: ${book('a')}\n\ndata: ${book('b')}\n\nevent: end\ndata: {}\n\n`,
    'event: end\ndata: {}\n\n',
    `event: error\ndata: ${status}\n\nevent: end\ndata: {}\n\n`,
  ],
  [
    'strict',
    as('strict'),
    'application/json',
    `{"result":${book('a')}}\n{"result":${book('b')}}\n`,
    '',
    `{"error":${status}}\n`,
  ],
])(
  'ST1, ST2, ST4 %s: messages, no message, and an error behind a message',
  (_title, sent, contentType, both, none, error) => {
    const whole = finished(sent, [author('a'), author('b')], ok);
    expect(headerValue(present(whole.answers[0]).headers, 'content-type')).toBe(contentType);
    expect(whole.received.text).toBe(both);
    expect(whole.received.ended).toBeNull();

    const empty = finished(sent, [], ok);
    expect(present(empty.answers[0]).status).toBe(200);
    expect(empty.received.text).toBe(none);

    const broken = finished(sent, [author('a')], failed);
    expect(present(broken.answers[0]).status).toBe(200);
    expect(broken.received.text.endsWith(error)).toBe(true);
  },
);

test('ST1, ST2, ST4 envoy: an array, which an error leaves open and breaks off', () => {
  const sent: Sent = as('envoy');
  const bare = (name: string): string => `{"author":{"name":"${name}"}}`;

  expect(finished(sent, [author('a'), author('b')], ok).received.text).toBe(`[${bare('a')},${bare('b')}]`);
  expect(finished(sent, [], ok).received.text).toBe('[]');
  const broken = finished(sent, [author('a')], failed);
  expect(broken.received.text).toBe(`[${bare('a')}`);
  expect(broken.received.error).not.toBeNull();
  expect(broken.received.ended).toBeUndefined();
});

test.each([
  ['grpc-gateway wraps it', watch, `{"error":${status}}\n`],
  ['envoy', as('envoy'), status],
  ['NDJSON', accepting('application/x-ndjson'), status],
  ['events', accepting('text/event-stream'), status],
])('ST3 an error before the first message has its own status: %s', (_title, sent, body) => {
  const read = finished(sent, [], failed);

  expect(read.answers[0]).toMatchObject({ status: 404, grpcCode: 5 });
  expect(read.received.text).toBe(body);
  expect(headerValue(present(read.answers[0]).headers, 'content-type')).toBe('application/json');
});

test('ST5 the messages of one chunk go out together, each chunk at once, however the frames are cut', () => {
  const bytes = Buffer.concat([author('a'), author('b'), author('c')]);

  const whole = reading(watch);
  whole.source.send(bytes);
  expect(whole.received.chunks).toHaveLength(1);

  const cut = reading(watch);
  for (let at = 0; at < bytes.length; at++) cut.source.send(bytes.subarray(at, at + 1));
  expect(cut.received.chunks).toHaveLength(3);
  expect(cut.received.text).toBe(whole.received.text);
});

test('ST6 a client without room stops the service, and goes on when it has room', () => {
  const { source, received, answers } = reading(watch);
  received.hasRoom = false;

  expect(source.send(author('a'))).toBe(false);
  expect(source.resumed).toBe(0);
  present(answers[0]).body.resume();
  expect(source.resumed).toBe(1);
});

test('ST6 the first message is asked for until it is whole', () => {
  const { source, received } = reading(watch);
  const bytes = author('a');

  expect(source.send(bytes.subarray(0, 3))).toBe(true);
  expect(source.send(bytes.subarray(3, 9))).toBe(true);
  expect(source.send(bytes.subarray(9))).toBe(true);
  expect(received.chunks).toHaveLength(1);
});

test('ST6 what comes before the answer is sent waits for it', () => {
  const source = new Script();
  const received = new Received();
  let answer: Answer | undefined;
  readReply(request(watch), 200, grpcHead, source, {
    answered: (it) => (answer = it),
    failed: (error) => {
      throw error;
    },
  });

  expect(source.send(author('a'))).toBe(false);
  expect(source.send(author('b'))).toBe(false);
  present(answer).body.start(received);
  expect(received.text).toBe(`{"result":${book('a')}}\n{"result":${book('b')}}\n`);
  expect(source.resumed).toBe(1);
  present(answer).body.cancel(new ProxyError('client_closed'));
  expect(source.cancelled?.kind).toBe('client_closed');
});

test('ST4 a service that breaks off, or sends what is no message, ends the stream with an error', () => {
  const reset = reading(watch);
  reset.source.send(author('a'));
  present(reset.source.sink).fail(new ProxyError('upstream_reset'));
  expect(reset.received.text).toContain('{"error":{"code":14,');
  expect(reset.received.ended).toBeNull();

  const malformed = reading(watch);
  malformed.source.send(Buffer.concat([author('a'), Uint8Array.from([0, 0, 0, 0, 1, 0xff])]));
  expect(malformed.received.text).toContain('{"error":{"code":13,');
  expect(malformed.source.cancelled?.kind).toBe('upstream_malformed');

  const early = reading(watch);
  present(early.source.sink).fail(new ProxyError('upstream_reset'));
  expect(early.errors.map((error) => error.kind)).toEqual(['upstream_reset']);
});

test('SZ2 a message that is too large for the route ends the stream', () => {
  const { source, errors } = reading(watch);
  source.send(Uint8Array.from([0, 0, 0, 4, 0]));

  expect(errors.map((error) => error.kind)).toEqual(['upstream_too_large']);
});

test('HD6 trailers and the status go along for a client that takes trailers', () => {
  const read = finished({ ...watch, headers: ['TE', 'trailers'] }, [author('a')], [...ok, 'x-count', '1']);

  expect(read.received.ended).toEqual(['grpc-status', '0', 'Grpc-Trailer-x-count', '1']);
});

test('HB4, HB5 a stream of HttpBody is a download, and an error breaks it off', () => {
  const part = (text: string, contentType = ''): Uint8Array =>
    framed('google.api.HttpBody', { contentType, data: Buffer.from(text).toString('base64') });

  const envoy = finished({ ...download, profile: 'envoy' }, [part('ab', 'image/png'), part('cd')], ok);
  expect(headerValue(present(envoy.answers[0]).headers, 'content-type')).toBe('image/png');
  expect(envoy.received.text).toBe('abcd');
  expect(finished(download, [part('ab', 'image/png'), part('cd')], ok).received.text).toBe('ab\ncd\n');

  const broken = finished(download, [part('ab', 'image/png')], failed);
  expect(broken.received.error).not.toBeNull();
  expect(finished(download, [], failed).answers[0]).toMatchObject({ status: 404 });
});

interface Sending {
  readonly client: Script;
  readonly service: Received;
  readonly call: GrpcCall;
}

/** Makes a client-streaming call of which the test sends the body. */
function sending(sent: Sent): Sending {
  const client = new Script();
  const service = new Received();
  let call: GrpcCall | undefined;
  prepareCall(
    { ...request(sent), body: client },
    {
      ready: (it) => (call = it),
      failed: (error) => {
        throw error;
      },
    },
  );
  present(call).body.start(service);
  return { client, service, call: present(call) };
}

function messagesOf({ service }: Sending, type: string): unknown[] {
  const desc = present(registry.getMessage(type));
  return service.chunks.map((frame) => toJson(desc, fromBinary(desc, frame.subarray(5)), { registry }));
}

const importBooks: Sent = { method: 'POST', template: '/v1/shelves/{shelf}/books:import', variables: ['7'] };

test.each([
  ['an array', '[{"title":"a"}, {"title":"b"}]'],
  ['lines', '{"title":"a"}\n{"title":"b"}\n'],
  ['values side by side', '{"title":"a"}{"title":"b"}'],
])('ST7, ST8 %s becomes messages, of which the first has what the path gives', (_title, text) => {
  for (const chunkBytes of [1, 1_000]) {
    const call = sending(importBooks);
    const bytes = utf8.encode(text);
    for (let at = 0; at < bytes.length; at += chunkBytes) call.client.send(bytes.subarray(at, at + chunkBytes));
    present(call.client.sink).end(null);

    expect(messagesOf(call, 'library.v1.CreateBookRequest')).toEqual([
      { shelf: '7', book: { title: 'a' } },
      { book: { title: 'b' } },
    ]);
    expect(call.service.ended).toBeNull();
  }
});

test('ST9 an empty body and an empty array are no message', () => {
  for (const text of ['', ' ', '[]']) {
    const call = sending(importBooks);
    if (text !== '') call.client.send(utf8.encode(text));
    present(call.client.sink).end(null);

    expect(call.service.chunks).toEqual([]);
    expect(call.service.ended).toBeNull();
  }
});

test('ST11 a message with a fault fails the call, naming the message and the field, and stops the client', () => {
  const call = sending(importBooks);
  call.client.send(utf8.encode('{"title":"a"}{"title":1}'));

  expect(call.service.error?.detail.violations).toEqual([
    { field: 'book.title', description: 'message 2: is not a string (at byte 9 of the body)' },
  ]);
  expect(call.client.cancelled?.kind).toBe('bad_argument');
});

test('ST11 a body that ends too early fails the call', () => {
  const call = sending(importBooks);
  call.client.send(utf8.encode('[{"title":"a"}'));
  present(call.client.sink).end(null);

  expect(call.service.error?.kind).toBe('bad_argument');
});

test('SZ1 one message of a stream over the limit fails it, their sum does not', () => {
  const call = sending(importBooks);
  for (let i = 0; i < 30; i++) call.client.send(utf8.encode(`{"title":"${'a'.repeat(100)}"}`));
  expect(call.service.chunks).toHaveLength(30);

  call.client.send(utf8.encode(`{"title":"${'a'.repeat(1_000)}`));
  expect(call.service.error?.kind).toBe('payload_too_large');
});

test('HB3 an upload is cut into pieces, of which the first says what it is', () => {
  const call = sending({ method: 'POST', template: '/v1/parts', headers: ['Content-Type', 'image/png'] });
  call.client.send(new Uint8Array(300_000));
  call.client.send(new Uint8Array(10));
  present(call.client.sink).end(null);

  const parts = messagesOf(call, 'google.api.HttpBody') as { contentType?: string; data: string }[];
  expect(parts.map((part) => [part.contentType, Buffer.from(part.data, 'base64').length])).toEqual([
    ['image/png', 262_144],
    [undefined, 37_856],
    [undefined, 10],
  ]);
});

test('HB3 an empty upload is one empty message', () => {
  const call = sending({ method: 'POST', template: '/v1/parts', headers: ['Content-Type', 'image/png'] });
  present(call.client.sink).end(null);

  expect(messagesOf(call, 'google.api.HttpBody')).toEqual([{ contentType: 'image/png' }]);
});
