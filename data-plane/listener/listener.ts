import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { RequestHandler } from '../exchange.js';
import { SharedReadBuffer } from '../socket/read-buffer.js';
import type { TimerWheel } from '../wheel.js';
import { acceptConnection, type AcceptOptions, type ListenerTls } from './accept.js';
import { ServerConnection, type ListenerContext } from './connection.js';
import { HttpDate } from './http-date.js';
import { defaultLimits, type ListenerLimits } from './limits.js';
import { RequestIds } from './request-id.js';

export interface ListenerOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly wheel: TimerWheel;
  /** Shared by all sockets of the process; a listener without one has its own. */
  readonly reads?: SharedReadBuffer;
  readonly limits?: Partial<ListenerLimits>;
  /** Present on a port that speaks TLS. */
  readonly tls?: ListenerTls;
  /** Whose connections begin with a PROXY header, version 1 or 2, which then names the client. Default: nobody's. */
  readonly proxyHeaderFrom?: (address: string) => boolean;
}

export type { ListenerTls } from './accept.js';
export type { ListenerLimits } from './limits.js';

export type ListenerState = 'starting' | 'ready' | 'draining' | 'closed' | 'failed';

/** A port that the data plane accepts HTTP/1 on. */
export interface Listener {
  readonly state: ListenerState;
  readonly connections: number;
  /** Resolves when connections are accepted; rejects when the port cannot be had. */
  listen(): Promise<AddressInfo>;
  /** Answers carry Connection: close from now on, while everything is still served: clients move elsewhere in peace. */
  retire(): void;
  /**
   * Stops accepting and lets answers in flight finish; a request that comes late on a kept connection is refused with 503.
   * What is left after `deadlineMs` is reset. Resolves when no connection is left.
   */
  close(deadlineMs: number): Promise<void>;
  /** Resets every connection now. */
  destroy(): void;
}

export function createListener(options: ListenerOptions, handler: RequestHandler): Listener {
  return new Http1Listener(options, handler);
}

/** How long a drain leaves kept connections open for requests that are on their way: they get a 503, not a reset. */
const lateRequestMs = 500;

class Http1Listener implements Listener, ListenerContext {
  readonly handler: RequestHandler;
  readonly limits: ListenerLimits;
  readonly wheel: TimerWheel;
  readonly ids = new RequestIds(Date.now(), Math.random() * 2 ** 32);
  readonly date = new HttpDate();
  phase: ListenerContext['phase'] = 'open';
  readonly #options: ListenerOptions;
  readonly #acceptOptions: AcceptOptions;
  /** Connections on which HTTP has not begun. */
  readonly #accepting = new Set<Socket>();
  readonly #server: Server;
  readonly #connections = new Set<ServerConnection>();
  #state: ListenerState = 'starting';
  #allClosed: (() => void) | null = null;

  constructor(options: ListenerOptions, handler: RequestHandler) {
    this.#options = options;
    this.handler = handler;
    this.wheel = options.wheel;
    this.limits = { ...defaultLimits, ...options.limits };
    this.#acceptOptions = {
      tls: options.tls ?? null,
      proxyHeaderFrom: options.proxyHeaderFrom ?? (() => false),
      timeoutMs: this.limits.headMs,
      wheel: options.wheel,
      reads: options.reads ?? new SharedReadBuffer(),
    };
    const socketOptions = { allowHalfOpen: true, noDelay: true, keepAlive: true, pauseOnConnect: true };
    this.#server = createServer(socketOptions, (socket) => this.#accept(socket));
  }

  get state(): ListenerState {
    return this.#state;
  }

  get connections(): number {
    return this.#connections.size;
  }

  listen(): Promise<AddressInfo> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      const failed = (error: Error): void => {
        this.#state = 'failed';
        reject(error);
      };
      this.#server.once('error', failed);
      this.#server.listen({ host, port, backlog: 1_024 }, () => {
        this.#server.off('error', failed);
        this.#state = 'ready';
        resolve(this.#server.address() as AddressInfo);
      });
    });
  }

  retire(): void {
    if (this.phase === 'open') this.phase = 'retiring';
  }

  async close(deadlineMs: number): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'draining';
    this.phase = 'draining';
    this.#server.close();
    for (const socket of this.#accepting) socket.destroy();
    const late = setTimeout(() => this.#retireAll(), Math.min(lateRequestMs, deadlineMs));
    const deadline = setTimeout(() => this.destroy(), deadlineMs);
    await this.#whenEmpty();
    clearTimeout(late);
    clearTimeout(deadline);
    this.#state = 'closed';
  }

  destroy(): void {
    this.#server.close();
    for (const socket of this.#accepting) socket.destroy();
    for (const connection of this.#connections) connection.destroy();
    if (this.#state !== 'draining') this.#state = 'closed';
  }

  closed(connection: ServerConnection): void {
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#allClosed?.();
  }

  #accept(socket: Socket): void {
    if (this.#connections.size + this.#accepting.size >= this.limits.maxConnections) {
      socket.destroy();
      return;
    }
    this.#accepting.add(socket);
    const gone = (): void => void this.#accepting.delete(socket);
    socket.once('close', gone);
    acceptConnection(socket, this.#acceptOptions, ({ source, open, firstBytes }) => {
      this.#accepting.delete(socket);
      const connection = new ServerConnection(open, source, this);
      this.#connections.add(connection);
      if (firstBytes !== null) connection.onBytes(firstBytes, 0, firstBytes.length, true);
    });
  }

  #retireAll(): void {
    for (const connection of this.#connections) connection.retire();
  }

  #whenEmpty(): Promise<void> {
    if (this.#connections.size === 0) return Promise.resolve();
    return new Promise((resolve) => (this.#allClosed = resolve));
  }
}
