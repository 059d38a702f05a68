import { once } from 'node:events';
import {
  Metadata,
  status,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerWritableStream,
} from '@grpc/grpc-js';
import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { TranscodeProfile } from '../../proto/gen/sluice/v1/config_pb.js';
import { eventually } from '../support/load.js';
import { TranscodedServices, type Json, type TranscodedService } from '../support/transcoding.js';

const services = new TranscodedServices();

/** A WebSocket and everything that it was sent. */
class TestSocket {
  readonly socket: WebSocket;
  readonly messages: Buffer[] = [];
  readonly isBinary: boolean[] = [];
  closed: [code: number, reason: string] | null = null;
  refused: number | null = null;

  constructor({ url }: TranscodedService, path: string, headers: Record<string, string> = {}, options = {}) {
    this.socket = new WebSocket(url.replace('http', 'ws') + path, { headers, ...options });
    this.socket
      .on('message', (data: Buffer, isBinary: boolean) => {
        this.messages.push(data);
        this.isBinary.push(isBinary);
      })
      .on('close', (code, reason) => (this.closed = [code, reason.toString()]))
      .on('unexpected-response', (request, response) => {
        this.refused = response.statusCode ?? 0;
        request.destroy();
      })
      .on('error', () => {});
    services.defer(() => this.socket.terminate());
  }

  async open(): Promise<this> {
    await once(this.socket, 'open');
    return this;
  }

  get json(): unknown[] {
    return this.messages.map((message) => JSON.parse(message.toString()) as unknown);
  }

  async received(count: number): Promise<void> {
    await eventually(`${count} messages`, 2_000, () => this.messages.length >= count);
  }

  async end(): Promise<[code: number, reason: string]> {
    await eventually('a close frame', 2_000, () => this.closed !== null);
    return this.closed ?? [0, ''];
  }
}

const chat = (call: ServerDuplexStream<Json, Json>): void => {
  call.on('data', (message: Json) => call.write({ title: `${String(message['title'])}!` }));
  call.on('end', () => call.end());
};
const importing = (call: ServerReadableStream<Json, Json>, answer: (error: null, value: Json) => void): void => {
  const books: unknown[] = [];
  call.on('data', (message: Json) => books.push(message['book']));
  call.on('end', () => answer(null, { books, nextPageToken: 'x' }));
};
const watching = (call: ServerWritableStream<Json, Json>): void => {
  for (const title of ['a', 'b']) call.write({ title, name: call.request['name'] });
  call.end();
};
const envoy = { profile: TranscodeProfile.ENVOY };

describe('ST12 a streaming method as a WebSocket', () => {
  test('ST12 both directions run at the same time, and an empty message ends the client’s side', async () => {
    const socket = await new TestSocket(
      await services.library({ ...envoy, handlers: { Chat: chat } }),
      '/v1/chat',
    ).open();

    socket.socket.send('{"title":"a"}');
    await socket.received(1);
    socket.socket.send('{"title":"b"}');
    await socket.received(2);
    socket.socket.send('');

    expect(await socket.end()).toEqual([1000, '']);
    expect(socket.json).toEqual([{ title: 'a!' }, { title: 'b!' }]);
  });

  test('ST12 a server stream takes path and query, and is in the profile’s words', async () => {
    const handlers = { Watch: watching };
    const gg = new TestSocket(await services.library({ handlers }), '/v1/shelves/1/books/2:watch');
    const plain = new TestSocket(await services.library({ ...envoy, handlers }), '/v1/shelves/1/books/2:watch');

    expect(await gg.end()).toEqual([1000, '']);
    expect(gg.json).toMatchObject([{ result: { title: 'a', name: 'shelves/1/books/2' } }, { result: { title: 'b' } }]);
    expect(await plain.end()).toEqual([1000, '']);
    expect(plain.json).toMatchObject([{ title: 'a' }, { title: 'b' }]);
  });

  test('ST12, ST8 a client stream gets path values in its first message, and one answer', async () => {
    const got: unknown[] = [];
    const handlers = {
      Import: (call: ServerReadableStream<Json, Json>, answer: (error: null, value: Json) => void): void => {
        call.on('data', (message: Json) => got.push(message));
        importing(call, answer);
      },
    };
    const socket = await new TestSocket(
      await services.library({ ...envoy, handlers }),
      '/v1/shelves/7/books:import',
    ).open();

    for (const title of ['a', 'b']) socket.socket.send(JSON.stringify({ title }));
    socket.socket.send('');

    expect(await socket.end()).toEqual([1000, '']);
    expect(socket.json).toEqual([{ books: [{ title: 'a' }, { title: 'b' }], nextPageToken: 'x' }]);
    expect(got).toEqual([{ shelf: '7', book: { title: 'a' } }, { book: { title: 'b' } }]);
  });

  test('ST12, HB3, HB4 streams of HttpBody are binary messages', async () => {
    const got: unknown[] = [];
    const library = await services.library({
      ...envoy,
      handlers: {
        UploadParts: (call: ServerReadableStream<Json, Json>, answer: (error: null, value: Json) => void) => {
          call.on('data', (part: Json) => got.push(part['data']));
          call.on('end', () => answer(null, {}));
        },
        Download: (call: ServerWritableStream<Json, Json>) => {
          call.write({ contentType: 'image/png', data: 'AAEC' });
          call.end();
        },
      },
    });

    const up = await new TestSocket(library, '/v1/parts').open();
    up.socket.send(Buffer.from([0, 1, 2]));
    up.socket.send('');
    expect(await up.end()).toEqual([1000, '']);
    expect(got).toEqual(['AAEC']);

    const down = new TestSocket(library, '/v1/download/n');
    await down.end();
    expect([down.messages, down.isBinary]).toEqual([[Buffer.from([0, 1, 2])], [true]]);
  });

  test('ST12 a binary message is protobuf, and so are answers where Accept asks', async () => {
    const library = await services.library({ ...envoy, handlers: { Chat: chat } });
    const socket = await new TestSocket(library, '/v1/chat', { accept: 'application/x-protobuf' }).open();

    // library.v1.Book { title: "a" }
    socket.socket.send(Buffer.from([0x12, 1, 0x61]));
    await socket.received(1);

    expect([socket.messages, socket.isBinary]).toEqual([[Buffer.from([0x12, 2, 0x61, 0x21])], [true]]);
  });
});

describe('ST12 the end of a WebSocket', () => {
  test('ST12, ST4 an error of the service is a last message, and a close frame with its code', async () => {
    const failing = (call: ServerWritableStream<Json, Json>): void => {
      if (call.request['name'] === 'shelves/1/books/2') call.write({ title: 'a' });
      call.emit('error', { code: status.NOT_FOUND, details: 'gone', metadata: new Metadata() });
    };
    const library = await services.library({ ...envoy, handlers: { Watch: failing } });
    const error = { error: { code: 5, message: 'gone', details: [] } };

    const later = new TestSocket(library, '/v1/shelves/1/books/2:watch');
    expect(await later.end()).toEqual([4005, 'gone']);
    expect(later.json).toEqual([{ title: 'a' }, error]);

    const first = new TestSocket(library, '/v1/shelves/1/books/3:watch');
    expect(await first.end()).toEqual([4005, 'gone']);
    expect(first.json).toEqual([error]);
  });

  test('ST12, ST11 a message with a fault is told, and the service sees the call cancelled', async () => {
    let cancelled = false;
    const handlers = {
      Chat: (call: ServerDuplexStream<Json, Json>): void =>
        void call.on('cancelled', () => (cancelled = true)).resume(),
    };
    const socket = await new TestSocket(await services.library({ handlers }), '/v1/chat').open();

    socket.socket.send('{"title":"a"}');
    socket.socket.send('{"title":7}');

    expect((await socket.end())[0]).toBe(4003);
    expect(socket.json).toMatchObject([
      { error: { code: 3, details: [{}, { fieldViolations: [{ field: 'title' }] }] } },
    ]);
    await eventually('the cancellation', 1_000, () => cancelled);
  });

  test.each(['close', 'terminate'] as const)('ST12, HD10 a client that leaves (%s) cancels the call', async (how) => {
    let cancelled = false;
    const handlers = {
      Watch: (call: ServerWritableStream<Json, Json>): void => {
        call.on('cancelled', () => (cancelled = true));
        call.write({ title: 'a' });
      },
    };
    const socket = await new TestSocket(await services.library({ handlers }), '/v1/shelves/1/books/2:watch').open();
    await socket.received(1);

    socket.socket[how]();

    await eventually('the cancellation', 1_000, () => cancelled);
  });

  test('ST12, HD8 a deadline is told', async () => {
    const library = await services.library({ ...envoy, handlers: { Watch: (): void => undefined } });

    const socket = new TestSocket(library, '/v1/shelves/1/books/2:watch', { 'grpc-timeout': '100m' });

    expect((await socket.end())[0]).toBe(4004);
  });

  test('ST12, SZ1 a message over the limit ends it with 1009', async () => {
    const socket = await new TestSocket(await services.library({ handlers: { Chat: chat } }), '/v1/chat').open();

    socket.socket.send(`{"title":"${'x'.repeat(5_000_000)}"}`);

    expect((await socket.end())[0]).toBe(1009);
  });

  test('ST12 pings are answered, and the service is stopped by a client that does not read', async () => {
    let written = 0;
    const handlers = {
      Watch: (call: ServerWritableStream<Json, Json>): void => {
        const more = (): void => {
          while (!call.cancelled && written < 1e8) {
            written += 10_000;
            if (!call.write({ title: 'x'.repeat(10_000) })) return void call.once('drain', more);
          }
        };
        more();
      },
      Chat: chat,
    };
    const library = await services.library({ handlers });
    const talking = await new TestSocket(library, '/v1/chat').open();
    talking.socket.ping('p');
    const [payload] = (await once(talking.socket, 'pong')) as [Buffer];
    expect(payload.toString()).toBe('p');

    const silent = await new TestSocket(library, '/v1/shelves/1/books/2:watch').open();
    silent.socket.pause();
    let before = -1;
    while (before !== written) {
      before = written;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    expect(written).toBeLessThan(20e6);
  });
});

test('ST12 a page of the same host may open one', async () => {
  const library = await services.library({ handlers: { Chat: chat } });

  const socket = await new TestSocket(library, '/v1/chat', { origin: library.url }).open();

  expect(socket.socket.readyState).toBe(WebSocket.OPEN);
});

describe('ST12 what is no WebSocket', () => {
  test.each([
    ['a unary method', '/v1/books/1', {}, 200],
    ['another version', '/v1/chat', { protocolVersion: 8 }, 426],
    ['a page of another site', '/v1/chat', { origin: 'http://evil.example' }, 403],
    ['a page without a site', '/v1/chat', { origin: 'null' }, 403],
    ['a path of no method', '/v1/nothing', {}, 404],
    ['a path value that does not fit', '/v1/shelves/x/books:import', {}, 400],
  ])('ST12 %s is answered as it is without', async (_what, path, options, expected) => {
    const socket = new TestSocket(await services.library(), path, {}, options);

    await eventually('a refusal', 2_000, () => socket.refused === expected);
  });
});
