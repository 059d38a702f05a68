import { connect as connectTcp, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { vi } from 'vitest';
import { BufferedBody } from '../../body.js';
import type { ProxyError } from '../../errors.js';
import type { Exchange, ExchangeSummary, RequestObserver } from '../../exchange.js';
import { SharedReadBuffer } from '../../socket/read-buffer.js';
import { adoptSocket } from '../../socket/socket.js';
import { TimerWheel } from '../../wheel.js';
import { clientPreface } from '../../wire/http2/http2.js';
import { HttpDate } from '../http-date.js';
import {
  createHttp2Codec,
  defaultHttp2ListenerLimits,
  serveHttp2,
  type Http2Context,
  type Http2CutKind,
  type Http2ListenerLimits,
  type Http2ServerConnection,
} from './http2.js';

export type Handle = (exchange: Exchange) => void;

/** A listener of HTTP/2 by prior knowledge, and what became of its exchanges. */
export class TestListener {
  readonly wheel = new TimerWheel();
  readonly connections = new Set<Http2ServerConnection>();
  readonly summaries: ExchangeSummary[] = [];
  readonly aborts: ProxyError[] = [];
  readonly cuts: Http2CutKind[] = [];
  phase: Http2Context['phase'] = 'open';
  handle: Handle = (exchange) =>
    exchange.respond(200, ['Content-Type', 'text/plain'], new BufferedBody(Buffer.from('hello')));
  readonly #server: Server;
  readonly #reads = new SharedReadBuffer();
  #ids = 0;
  port = 0;

  constructor(limits: Partial<Http2ListenerLimits> = {}) {
    const phase = (): Http2Context['phase'] => this.phase;
    const context: Http2Context = {
      handler: { handle: (exchange) => this.#observe(exchange) },
      limits: { ...defaultHttp2ListenerLimits, ...limits },
      wheel: this.wheel,
      ids: { next: () => `id-${++this.#ids}` },
      date: new HttpDate(),
      ...createHttp2Codec(),
      get phase() {
        return phase();
      },
      cut: (kind) => this.cuts.push(kind),
      closed: (connection) => this.connections.delete(connection),
    };
    this.#server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) => {
      this.connections.add(serveHttp2((events) => adoptSocket(socket, this.#reads, events), null, context));
    });
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  async close(): Promise<void> {
    for (const connection of this.connections) connection.destroy();
    const allClosed = (): void => {
      if (this.connections.size > 0) throw new Error(`${this.connections.size} connections are left`);
    };
    await vi.waitFor(allClosed, { timeout: 2_000, interval: 2 });
    await new Promise((resolve) => this.#server.close(resolve));
    this.wheel.close();
  }

  #observe(exchange: Exchange): RequestObserver {
    this.handle(exchange);
    return { aborted: (error) => this.aborts.push(error), finished: (summary) => this.summaries.push(summary) };
  }
}

/** A client in bytes: preface and SETTINGS, then what the test wants. */
export class RawHttp2Client {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  readonly #chunks: Buffer[] = [];

  constructor(port: number, ...bytes: readonly Buffer[]) {
    this.socket = connectTcp(port, '127.0.0.1');
    this.socket.on('data', (chunk: Buffer) => this.#chunks.push(chunk)).on('error', () => {});
    this.closed = new Promise((resolve) => this.socket.on('close', () => resolve()));
    this.socket.write(Buffer.concat([clientPreface, settings, ...bytes]));
  }

  get received(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}

const settings = Buffer.from('000000040000000000', 'hex');
