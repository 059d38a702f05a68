import { createServer as createHttpServer, type RequestListener, type Server as HttpServer } from 'node:http';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { BodySource } from '../body.js';
import type { ProxyError } from '../errors.js';
import type { Exchange, ExchangeSummary, RequestHandler, RequestObserver, Tunnel } from '../exchange.js';
import { headerValue, type HeaderList } from '../headers.js';
import { createHttp1Transport, type Http1TransportOptions } from '../upstream/http1/pool.js';
import { hasToken, stripHopByHop } from '../upstream/hop-by-hop.js';
import type { ActiveCall, CallObserver, CallTimeouts, Transport } from '../upstream/transport.js';
import { TimerWheel } from '../wheel.js';
import type { ListenerLimits } from './limits.js';
import { createListener, type Listener, type ListenerOptions } from './listener.js';

export const testTimeouts: CallTimeouts = { connectMs: 2_000, readMs: 5_000, writeMs: 5_000, perTryMs: 0 };

/** Real servers and clients on loopback for tests of the engine; `close` ends them all. */
export class Fixture {
  readonly wheel = new TimerWheel();
  readonly #closers: (() => void | Promise<void>)[] = [];

  /** A backend of node's own, as the world's are. */
  async httpServer(handler: RequestListener): Promise<{ port: number; server: HttpServer }> {
    const server = createHttpServer(handler);
    const port = await listening(server);
    this.onClose(() => {
      server.close();
      server.closeAllConnections();
    });
    return { port, server };
  }

  /** A backend that speaks in bytes. */
  async rawServer(onConnection: (socket: Socket) => void): Promise<number> {
    const sockets = new Set<Socket>();
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
      onConnection(socket);
    });
    const port = await listening(server);
    this.onClose(() => {
      server.close();
      for (const socket of sockets) socket.destroy();
    });
    return port;
  }

  /** A backend that answers each request head it sees with `answer`, and keeps what it got. */
  async scripted(
    answer: string | ((request: string, socket: Socket) => string | null),
  ): Promise<{ port: number; requests: string[] }> {
    const requests: string[] = [];
    const port = await this.rawServer((socket) => {
      socket.on('data', (bytes: Buffer) => {
        const text = bytes.toString('latin1');
        requests.push(text);
        const reply = typeof answer === 'string' ? answer : answer(text, socket);
        if (reply !== null) socket.write(reply, 'latin1');
      });
      socket.on('end', () => socket.end());
    });
    return { port, requests };
  }

  transport(port: number, options: Partial<Http1TransportOptions> = {}): Transport {
    const transport = createHttp1Transport({ address: '127.0.0.1', port, wheel: this.wheel, ...options });
    this.onClose(() => transport.close());
    return transport;
  }

  async listen(
    handler: RequestHandler,
    limits: Partial<ListenerLimits> = {},
    options: Partial<ListenerOptions> = {},
  ): Promise<{ port: number; listener: Listener }> {
    const listener = createListener({ host: '127.0.0.1', port: 0, wheel: this.wheel, limits, ...options }, handler);
    const { port } = await listener.listen();
    this.onClose(() => listener.close(0));
    return { port, listener };
  }

  /** A listener in front of a transport, with nothing between. */
  async gateway(
    upstreamPort: number,
    { limits = {}, transport = {}, timeouts = {}, listen = {} }: GatewayOptions = {},
  ): Promise<{ port: number; listener: Listener; forwarder: Forwarder }> {
    const forwarder = new Forwarder(this.transport(upstreamPort, transport), { ...testTimeouts, ...timeouts });
    return { ...(await this.listen(forwarder, limits, listen)), forwarder };
  }

  async client(port: number): Promise<RawClient> {
    const client = new RawClient(connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true }));
    this.onClose(() => client.destroy());
    await client.connected;
    return client;
  }

  /** Sends `request` on a connection of its own and returns all that comes until the gateway closes it. */
  async ask(port: number, request: string): Promise<string> {
    const client = await this.client(port);
    client.write(request);
    await client.closed;
    return client.received;
  }

  onClose(close: () => void | Promise<void>): void {
    this.#closers.push(close);
  }

  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close();
    this.wheel.close();
  }
}

export interface GatewayOptions {
  readonly limits?: Partial<ListenerLimits>;
  readonly transport?: Partial<Http1TransportOptions>;
  readonly timeouts?: Partial<CallTimeouts>;
  readonly listen?: Partial<ListenerOptions>;
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** A client that sends and reads bytes. */
export class RawClient {
  readonly socket: Socket;
  readonly connected: Promise<void>;
  /** Resolves when the gateway has ended or reset the connection. */
  readonly closed: Promise<'ended' | 'reset'>;
  received = '';
  #wake: (() => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    this.connected = new Promise((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    this.closed = new Promise((resolve) => {
      socket.on('error', () => resolve('reset'));
      socket.on('close', () => resolve('reset'));
      socket.on('end', () => {
        socket.end();
        resolve('ended');
      });
    });
    socket.on('data', (bytes: Buffer) => {
      this.received += bytes.toString('latin1');
      for (const wake of this.#wake.splice(0)) wake();
    });
  }

  write(text: string): void {
    this.socket.write(text, 'latin1');
  }

  /** Waits until all that was received holds `text` `times` times. */
  async until(text: string, times = 1): Promise<string> {
    while (this.received.split(text).length <= times) {
      const more = new Promise<void>((resolve) => this.#wake.push(resolve));
      if ((await Promise.race([more, this.closed])) !== undefined) break;
    }
    if (this.received.split(text).length <= times)
      throw new Error(`closed before ${JSON.stringify(text)}: ${this.received}`);
    return this.received;
  }

  end(): void {
    this.socket.end();
  }

  destroy(): void {
    this.socket.destroy();
  }
}

/** The least a proxy does: sends every request on as it came and answers with what comes back. */
export class Forwarder implements RequestHandler {
  readonly transport: Transport;
  readonly timeouts: CallTimeouts;
  readonly exchanges: Exchange[] = [];
  readonly summaries: ExchangeSummary[] = [];
  readonly aborted: ProxyError[] = [];

  constructor(transport: Transport, timeouts: CallTimeouts) {
    this.transport = transport;
    this.timeouts = timeouts;
  }

  handle(exchange: Exchange): RequestObserver {
    this.exchanges.push(exchange);
    return new Forwarded(this, exchange);
  }
}

class Forwarded implements RequestObserver, CallObserver {
  readonly #forwarder: Forwarder;
  readonly #exchange: Exchange;
  readonly #active: ActiveCall;

  constructor(forwarder: Forwarder, exchange: Exchange) {
    this.#forwarder = forwarder;
    this.#exchange = exchange;
    const { method, target, authority, headers } = exchange.head;
    const isUpgrade = hasToken(headerValue(headers, 'connection') ?? '', 'upgrade');
    const upgrade = isUpgrade ? (headerValue(headers, 'upgrade') ?? null) : null;
    const call = {
      method,
      target,
      authority,
      headers: stripHopByHop(headers),
      body: exchange.body,
      upgrade,
      timeouts: forwarder.timeouts,
    };
    this.#active = forwarder.transport.send(call, this);
  }

  aborted(error: ProxyError): void {
    this.#forwarder.aborted.push(error);
    this.#active.cancel();
  }

  finished(summary: ExchangeSummary): void {
    this.#forwarder.summaries.push(summary);
  }

  informed(status: number, headers: HeaderList): void {
    this.#exchange.inform(status, headers);
  }

  replied(status: number, headers: HeaderList, body: BodySource): void {
    this.#exchange.respond(status, headers, body);
  }

  upgraded(status: number, headers: HeaderList, tunnel: Tunnel): void {
    this.#exchange.upgrade(status, headers, tunnel);
  }

  failed(error: ProxyError): void {
    this.#exchange.fail(error);
  }
}

/** Waits for a condition that a socket event will bring about. */
export async function eventually(condition: () => boolean, what = 'condition'): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`never came true: ${what}`);
}
