import type { ConnectionOptions } from 'node:tls';
import { ProxyError } from '../../errors.js';
import { SharedReadBuffer } from '../../socket/read-buffer.js';
import { openSocket } from '../../socket/socket.js';
import { WheelTimer, type TimerWheel } from '../../wheel.js';
import { tlsOptions, type UpstreamTls } from '../tls.js';
import type { ActiveCall, Call, CallObserver, Transport } from '../transport.js';
import { ClientConnection, type ConnectionOwner, type RunningCall } from './connection.js';
import { defaultTransportLimits, type Http1TransportLimits } from './limits.js';

export interface Http1TransportOptions extends Partial<Http1TransportLimits> {
  readonly address: string;
  readonly port: number;
  readonly wheel: TimerWheel;
  /** Shared by all sockets of the process; a transport without one has its own. */
  readonly reads?: SharedReadBuffer;
  readonly tls?: UpstreamTls;
}

/**
 * HTTP/1.1 to one endpoint over a pool of kept connections, the one used last first, so that those not needed time out. Calls
 * wait in line when all connections are busy and no more may be opened.
 */
export function createHttp1Transport(options: Http1TransportOptions): Transport {
  return new Http1Pool(options);
}

class PooledCall implements RunningCall, ActiveCall {
  readonly call: Call;
  readonly observer: CallObserver;
  done = false;
  connection: ClientConnection | null = null;
  waiting: WheelTimer | null = null;

  constructor(call: Call, observer: CallObserver) {
    this.call = call;
    this.observer = observer;
  }

  cancel(): void {
    if (this.done) return;
    this.done = true;
    this.connection?.abandon();
  }
}

class Http1Pool implements Transport, ConnectionOwner {
  readonly limits: Http1TransportLimits;
  readonly wheel: TimerWheel;
  readonly #options: Http1TransportOptions;
  readonly #reads: SharedReadBuffer;
  readonly #tls: ConnectionOptions | null;
  readonly #connections = new Set<ClientConnection>();
  readonly #idle: ClientConnection[] = [];
  /** May hold calls that are done already; those are passed over. */
  readonly #pending: PooledCall[] = [];
  #closing = false;
  #allClosed: (() => void) | null = null;

  constructor(options: Http1TransportOptions) {
    this.limits = { ...defaultTransportLimits, ...options };
    this.wheel = options.wheel;
    this.#options = options;
    this.#reads = options.reads ?? new SharedReadBuffer();
    this.#tls = options.tls === undefined ? null : tlsOptions(options.tls, 'http/1.1');
  }

  send(call: Call, observer: CallObserver): ActiveCall {
    const pooled = new PooledCall(call, observer);
    if (this.#closing) failSoon(pooled, 'upstream_unsent');
    else if (!this.#runOnIdle(pooled)) this.#runOnNewOrWait(pooled);
    return pooled;
  }

  async close(): Promise<void> {
    this.#closing = true;
    for (const connection of this.#idle.splice(0)) connection.destroy();
    if (this.#connections.size > 0) await new Promise<void>((resolve) => (this.#allClosed = resolve));
  }

  destroy(error: ProxyError): void {
    this.#closing = true;
    for (const pooled of this.#pending.splice(0)) this.#failWaiting(pooled, error);
    for (const connection of this.#connections) connection.fail(error);
  }

  released(connection: ClientConnection): void {
    const next = this.#nextPending();
    if (next !== undefined) assign(next, connection);
    else if (this.#closing) connection.destroy();
    else this.#idle.push(connection);
  }

  closed(connection: ClientConnection): void {
    this.#connections.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    const next = this.#nextPending();
    if (next !== undefined) this.#connectFor(next);
    else if (this.#connections.size === 0) this.#allClosed?.();
  }

  #runOnIdle(pooled: PooledCall): boolean {
    for (;;) {
      const connection = this.#idle.pop();
      if (connection === undefined) return false;
      if (!connection.isUsable) continue;
      assign(pooled, connection);
      return true;
    }
  }

  #runOnNewOrWait(pooled: PooledCall): void {
    if (this.#connections.size < this.limits.maxConnections) this.#connectFor(pooled);
    else if (this.#pending.length < this.limits.maxPending) this.#wait(pooled);
    else failSoon(pooled, 'pool_exhausted');
  }

  #connectFor(pooled: PooledCall): void {
    const { address, port } = this.#options;
    const connection = new ClientConnection(
      this,
      (events) => openSocket(address, port, this.#tls, this.#reads, events),
      pooled.call.timeouts.connectMs,
    );
    this.#connections.add(connection);
    assign(pooled, connection);
  }

  #wait(pooled: PooledCall): void {
    pooled.waiting = new WheelTimer(() => this.#failWaiting(pooled, new ProxyError('pool_exhausted')));
    this.wheel.set(pooled.waiting, this.limits.pendingTimeoutMs);
    this.#pending.push(pooled);
  }

  #failWaiting(pooled: PooledCall, error: ProxyError): void {
    const at = this.#pending.indexOf(pooled);
    if (at >= 0) this.#pending.splice(at, 1);
    if (pooled.waiting !== null) this.wheel.remove(pooled.waiting);
    if (pooled.done) return;
    pooled.done = true;
    pooled.observer.failed(error);
  }

  #nextPending(): PooledCall | undefined {
    for (;;) {
      const pooled = this.#pending.shift();
      if (pooled === undefined) return undefined;
      if (pooled.waiting !== null) this.wheel.remove(pooled.waiting);
      if (!pooled.done) return pooled;
    }
  }
}

function assign(pooled: PooledCall, connection: ClientConnection): void {
  pooled.connection = connection;
  connection.run(pooled);
}

/** Never within `send`: its caller does not hold the call yet. */
function failSoon(pooled: PooledCall, kind: 'upstream_unsent' | 'pool_exhausted'): void {
  process.nextTick(() => {
    if (pooled.done) return;
    pooled.done = true;
    pooled.observer.failed(new ProxyError(kind));
  });
}
