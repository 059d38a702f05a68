import cluster from 'node:cluster';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { RequestHandler } from '../exchange.js';
import { SharedReadBuffer } from '../socket/read-buffer.js';
import { socketBufferBytes, type ByteSocket, type SocketEvents } from '../socket/socket.js';
import type { TimerWheel } from '../wheel.js';
import { acceptConnection, type Accepted, type AcceptOptions, type ListenerTls } from './accept.js';
import { AcceptHandles } from './accept-handles.js';
import { ServerConnection, type ListenerContext } from './connection.js';
import {
  createHttp2Codec,
  defaultHttp2ListenerLimits,
  Http2ServerConnection,
  serveHttp2,
  type Http2Context,
  type Http2CutKind,
  type Http2ListenerLimits,
} from './http2/http2.js';
import { HttpDate } from './http-date.js';
import { defaultLimits, type ListenerLimits } from './limits.js';
import { RequestIds } from './request-id.js';

export interface ListenerOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly wheel: TimerWheel;
  /** How many connections may be accepted in one turn of the event loop. Default 1, and no more in workers of a cluster. */
  readonly acceptsPerTurn?: number;
  /** Shared by all sockets of the process; a listener without one has its own. */
  readonly reads?: SharedReadBuffer;
  readonly limits?: Partial<ListenerLimits>;
  readonly http2Limits?: Partial<Http2ListenerLimits>;
  /** Present on a port that speaks TLS. */
  readonly tls?: ListenerTls;
  /** Whose connections begin with a PROXY header, version 1 or 2, which then names the client. Default: nobody's. */
  readonly proxyHeaderFrom?: (address: string) => boolean;
  /** A client's HTTP/2 stream or connection was given up to protect the node. */
  readonly onHttp2Cut?: (kind: Http2CutKind) => void;
  /** A connection could not be accepted, for example for want of file descriptors. */
  readonly onAcceptError?: (error: Error) => void;
}

export type { HandshakeResult, ListenerTls } from './accept.js';
export { SecureContexts, type CertificateExpiry, type ServedCertificate } from './secure-contexts.js';
export type { ListenerLimits } from './limits.js';

export type ListenerState = 'starting' | 'ready' | 'draining' | 'closed' | 'failed';

/** A port that the data plane accepts HTTP/1 and HTTP/2 on: with TLS as ALPN chooses, else as the first bytes show. */
export interface Listener {
  readonly state: ListenerState;
  readonly connections: number;
  /** Resolves when connections are accepted; rejects when the port cannot be had. */
  listen(): Promise<AddressInfo>;
  /** Answers carry Connection: close, and HTTP/2 clients get GOAWAY, while all is still served: they move elsewhere in peace. */
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
  return new HttpListener(options, handler);
}

type ServedConnection = Pick<ServerConnection, 'retire' | 'destroy'>;

const backlog = 1_024;
/** How long a drain leaves kept connections open for requests that are on their way: they get a 503, not a reset. */
const lateRequestMs = 500;

class HttpListener implements Listener, ListenerContext {
  readonly handler: RequestHandler;
  readonly limits: ListenerLimits;
  readonly wheel: TimerWheel;
  readonly ids = new RequestIds(Date.now(), Math.random() * 2 ** 32);
  readonly date = new HttpDate();
  phase: ListenerContext['phase'] = 'open';
  readonly #options: ListenerOptions;
  readonly #acceptOptions: AcceptOptions;
  readonly #http2: Http2Context;
  /** Connections on which HTTP has not begun. */
  readonly #accepting = new Set<Socket>();
  readonly #server: Server;
  /** Of the same port. */
  readonly #more: Server[] = [];
  #handles: AcceptHandles | null = null;
  readonly #connections = new Set<ServedConnection>();
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
    this.#http2 = this.#http2Context();
    this.#server = this.#createServer();
  }

  #createServer(): Server {
    const highWaterMark = socketBufferBytes;
    const socketOptions = { allowHalfOpen: true, noDelay: true, keepAlive: true, pauseOnConnect: true, highWaterMark };
    return createServer(socketOptions, (socket) => this.#accept(socket));
  }

  #http2Context(): Http2Context {
    const { handler, wheel, ids, date } = this;
    const limits = { ...defaultHttp2ListenerLimits, ...this.#options.http2Limits };
    const phase = (): ListenerContext['phase'] => this.phase;
    return {
      handler,
      limits,
      wheel,
      ids,
      date,
      ...createHttp2Codec(),
      get phase() {
        return phase();
      },
      cut: (kind) => this.#options.onHttp2Cut?.(kind),
      closed: (connection) => this.closed(connection),
    };
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
      this.#server.listen({ host, port, backlog }, () => {
        this.#server.off('error', failed);
        // Accepting fails when the process is out of descriptors; the connections there are matter more than a new one.
        this.#server.on('error', (error) => this.#options.onAcceptError?.(error));
        this.#state = 'ready';
        this.#addHandles();
        resolve(this.#server.address() as AddressInfo);
      });
    });
  }

  #addHandles(): void {
    const { acceptsPerTurn = 1, onAcceptError } = this.#options;
    this.#handles = new AcceptHandles(this.#server, cluster.isPrimary ? acceptsPerTurn - 1 : 0, (handle) => {
      const server = this.#createServer();
      server.on('error', (error) => onAcceptError?.(error));
      this.#more.push(server.listen(handle, backlog));
    });
  }

  #stopAccepting(): void {
    this.#handles?.close();
    this.#server.close();
    for (const server of this.#more) server.close();
    for (const socket of this.#accepting) socket.destroy();
  }

  retire(): void {
    if (this.phase === 'open') this.phase = 'retiring';
    for (const connection of this.#connections) {
      if (connection instanceof Http2ServerConnection) connection.retire();
    }
  }

  async close(deadlineMs: number): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'draining';
    this.phase = 'draining';
    this.#stopAccepting();
    const late = setTimeout(() => this.#retireAll(), Math.min(lateRequestMs, deadlineMs));
    const deadline = setTimeout(() => this.destroy(), deadlineMs);
    await this.#whenEmpty();
    clearTimeout(late);
    clearTimeout(deadline);
    this.#state = 'closed';
  }

  destroy(): void {
    this.#stopAccepting();
    for (const connection of this.#connections) connection.destroy();
    if (this.#state !== 'draining') this.#state = 'closed';
  }

  closed(connection: ServedConnection): void {
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
    acceptConnection(socket, this.#acceptOptions, (accepted) => {
      this.#accepting.delete(socket);
      this.#serve(accepted);
    });
  }

  #serve({ source, open, isHttp2, firstBytes }: Accepted): void {
    const connection = isHttp2 ? serveHttp2(open, source, this.#http2) : new ServerConnection(open, source, this);
    this.#connections.add(connection);
    if (firstBytes !== null) connection.onBytes(firstBytes, 0, firstBytes.length, true);
  }

  speaksHttp2(connection: ServerConnection, socket: ByteSocket, bytes: Buffer): void {
    this.#connections.delete(connection);
    const open = (events: SocketEvents): ByteSocket => {
      socket.handOver(events);
      return socket;
    };
    this.#serve({ source: connection.source, open, isHttp2: true, firstBytes: bytes });
  }

  #retireAll(): void {
    for (const connection of this.#connections) connection.retire();
  }

  #whenEmpty(): Promise<void> {
    if (this.#connections.size === 0) return Promise.resolve();
    return new Promise((resolve) => (this.#allClosed = resolve));
  }
}
