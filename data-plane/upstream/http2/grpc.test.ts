import {
  Server,
  ServerCredentials,
  status,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BufferedBody } from '../../body.js';
import { ProxyError } from '../../errors.js';
import { headerValue } from '../../headers.js';
import { TimerWheel } from '../../wheel.js';
import type { Transport } from '../transport.js';
import { createHttp2Transport } from './http2.js';
import { framed, grpc, Recorder, settled } from './support.fixture.js';

const identity = (bytes: Buffer): Buffer => bytes;
const method = (path: string, responseStream: boolean, requestStream = false) => ({
  path: `/test.Echo/${path}`,
  requestStream,
  responseStream,
  requestSerialize: identity,
  requestDeserialize: identity,
  responseSerialize: identity,
  responseDeserialize: identity,
});

/** What the server has seen of its streaming calls. */
interface Seen {
  sent: number;
  cancelled: number;
}

async function startServer(port: number, seen: Seen): Promise<{ server: Server; port: number }> {
  const server = new Server({ 'grpc.max_receive_message_length': -1 });
  server.addService(
    {
      unary: method('Unary', false),
      many: method('Many', true),
      chat: method('Chat', true, true),
      fail: method('Fail', false),
      hang: method('Hang', false),
    },
    {
      unary: (call: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>) => reply(null, call.request),
      fail: (_call: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>) =>
        reply({ code: status.NOT_FOUND, details: 'nö such thing' }),
      hang: (call: ServerUnaryCall<Buffer, Buffer>) => call.on('cancelled', () => seen.cancelled++),
      many: (call: ServerWritableStream<Buffer, Buffer>) => {
        const more = (): void => {
          while (seen.sent < 1000) {
            seen.sent++;
            if (!call.write(Buffer.alloc(1000, seen.sent & 0xff))) return void call.once('drain', more);
          }
          call.end();
        };
        call.on('cancelled', () => seen.cancelled++);
        more();
      },
      chat: (call: ServerDuplexStream<Buffer, Buffer>) => {
        call.on('data', (message: Buffer) => call.write(message));
        call.on('end', () => call.end());
      },
    },
  );
  const bound = await new Promise<number>((resolve, reject) =>
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, actual) =>
      error ? reject(error) : resolve(actual),
    ),
  );
  return { server, port: bound };
}

let wheel: TimerWheel;
let server: Server;
let port: number;
let seen: Seen;
let transport: Transport;

beforeEach(async () => {
  wheel = new TimerWheel();
  seen = { sent: 0, cancelled: 0 };
  ({ server, port } = await startServer(0, seen));
  transport = createHttp2Transport({
    address: '127.0.0.1',
    port,
    wheel,
    limits: { minBackoffMs: 10, streamWindowBytes: 65_536 },
  });
});

afterEach(() => {
  transport.destroy(new ProxyError('draining'));
  server.forceShutdown();
  wheel.close();
});

const unary = (size = 20): Recorder =>
  new Recorder(transport, grpc('/test.Echo/Unary', new BufferedBody(framed(Buffer.alloc(size, 'm')))));

describe('against a grpc-js server', () => {
  it('a unary call returns its message and status', async () => {
    const reply = await unary().done;

    expect(reply.text).toBe(framed(Buffer.alloc(20, 'm')).toString('latin1'));
    expect(headerValue(reply.trailers ?? [], 'grpc-status')).toBe('0');
  });

  it('an error comes with its status and percent-encoded message', async () => {
    const reply = await new Recorder(transport, grpc('/test.Echo/Fail', new BufferedBody(framed(Buffer.alloc(0)))))
      .done;

    const fields = reply.trailers ?? reply.headers;
    expect(headerValue(fields, 'grpc-status')).toBe('5');
    expect(headerValue(fields, 'grpc-message')).toBe('n%C3%B6%20such%20thing');
  });

  it('an unknown method is answered with trailers only', async () => {
    const reply = await new Recorder(transport, grpc('/test.Echo/Nothing', new BufferedBody(framed(Buffer.alloc(0)))))
      .done;

    expect(headerValue(reply.headers, 'grpc-status')).toBe('12');
    expect(reply.bytes).toBe(0);
  });

  it('a hundred calls at a time are each answered with their own message', async () => {
    const replies = await Promise.all(Array.from({ length: 100 }, (_, i) => unary(i * 50).done));

    expect(replies.map(({ bytes }) => bytes)).toEqual(Array.from({ length: 100 }, (_, i) => 5 + i * 50));
  });

  it('a stream of a megabyte waits for a reader that stalls, and then comes whole', async () => {
    const call = await new Recorder(transport, grpc('/test.Echo/Many', new BufferedBody(framed(Buffer.alloc(1)))), true)
      .replying;
    const sentWhileStalled = await settled(() => seen.sent);
    const received = call.bytes;

    call.resume();
    await call.done;

    expect(received).toBe(1_005);
    expect(sentWhileStalled).toBeLessThan(300);
    expect(call.bytes).toBe(1_005_000);
    expect(headerValue(call.trailers ?? [], 'grpc-status')).toBe('0');
  });

  it('messages go both ways while the call lasts: each is sent when the one before has come back', async () => {
    const messages = ['one', 'two', 'three'].map((text) => framed(Buffer.from(text)));
    let send: (bytes: number) => void = () => {};
    const chat = new Recorder(
      transport,
      grpc('/test.Echo/Chat', {
        length: null,
        start: (sink) => {
          let sent = 0;
          send = (echoed) => {
            if (echoed < sent) return;
            const message = messages.shift();
            if (message === undefined) return sink.end(null);
            sent += message.length;
            sink.write(message);
          };
          send(0);
        },
        resume: () => {},
        cancel: () => {},
      }),
    );
    chat.onBytes = (bytes) => send(bytes);

    await chat.done;

    expect(chat.error).toBeNull();
    expect(chat.text).toBe(
      Buffer.concat(['one', 'two', 'three'].map((text) => framed(Buffer.from(text)))).toString('latin1'),
    );
  });

  it('a cancelled call is seen as cancelled by the server, before and after its head', async () => {
    const hanging = new Recorder(transport, grpc('/test.Echo/Hang', new BufferedBody(framed(Buffer.alloc(1)))));
    const streaming = await new Recorder(
      transport,
      grpc('/test.Echo/Many', new BufferedBody(framed(Buffer.alloc(1)))),
      true,
    ).replying;

    hanging.call.cancel();
    streaming.body?.cancel(new ProxyError('client_closed'));

    await expect.poll(() => seen.cancelled, { interval: 10 }).toBe(2);
  });

  it('no call is lost while the server goes away gracefully and another takes its port', async () => {
    const replies: Promise<Recorder>[] = [];
    const load = setInterval(() => {
      for (let i = 0; i < 5; i++) replies.push(withRetry());
    }, 2);
    await new Promise((resolve) => setTimeout(resolve, 40));

    const first = server;
    await new Promise<void>((resolve) => first.tryShutdown(() => resolve()));
    ({ server } = await startServer(port, seen));
    await new Promise((resolve) => setTimeout(resolve, 60));
    clearInterval(load);

    const errors = (await Promise.all(replies)).map(({ error }) => error?.kind).filter((kind) => kind !== undefined);
    expect(replies.length).toBeGreaterThan(10);
    expect(errors).toEqual([]);
  });
});

/** What the proxy does: only what was surely not processed is tried again. */
async function withRetry(): Promise<Recorder> {
  for (let attempt = 0; ; attempt++) {
    const reply = await unary().done;
    if (reply.error?.retry !== 'if-unsent' || attempt > 50) return reply;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
