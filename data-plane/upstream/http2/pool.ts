import type { ConnectionOptions as TlsOptions } from 'node:tls';
import { ProxyError, type ErrorKind } from '../../errors.js';
import { SharedReadBuffer } from '../../socket/read-buffer.js';
import { WheelTimer, type TimerWheel } from '../../wheel.js';
import { HpackEncoder, TextCache } from '../../wire/hpack/hpack.js';
import { connectionFields } from '../../wire/http2/http2.js';
import { tlsOptions } from '../tls.js';
import type { ActiveCall, Call, CallObserver, Transport } from '../transport.js';
import { Http2Call } from './call.js';
import { UpstreamConnection, type UpstreamContext } from './connection.js';
import type { Http2TransportOptions } from './http2.js';
import { defaultHttp2Limits, type Http2TransportLimits } from './limits.js';

const waitingTickMs = 50;

/**
 * The connections to one endpoint and the calls that wait for one. Calls share a connection as long as it has streams; one
 * more is opened when all are taken. An endpoint that cannot be reached is left alone for a while: calls fail at once then,
 * so that they can go elsewhere.
 */
export class Http2Pool implements Transport, UpstreamContext {
  readonly address: string;
  readonly port: number;
  readonly tls: TlsOptions | null;
  readonly limits: Http2TransportLimits;
  readonly wheel: TimerWheel;
  readonly reads: SharedReadBuffer;
  readonly encoder: HpackEncoder;
  readonly texts: TextCache;
  readonly #random: () => number;
  readonly #all = new Set<UpstreamConnection>();
  /** Those that take calls. */
  readonly #open: UpstreamConnection[] = [];
  readonly #waiting: Http2Call[] = [];
  readonly #timer: WheelTimer;
  #connecting: UpstreamConnection | null = null;
  #failures = 0;
  #notBeforeMs = 0;
  #lastFailure: ProxyError | null = null;
  #closing = false;
  #allClosed: (() => void) | null = null;

  constructor(options: Http2TransportOptions) {
    this.address = options.address;
    this.port = options.port;
    this.tls = options.tls === undefined ? null : tlsOptions(options.tls, 'h2');
    this.limits = { ...defaultHttp2Limits, ...options.limits };
    this.wheel = options.wheel;
    this.reads = options.reads ?? new SharedReadBuffer();
    this.encoder = options.encoder ?? new HpackEncoder(connectionFields);
    this.texts = options.texts ?? new TextCache();
    this.#random = options.random ?? Math.random;
    this.#timer = new WheelTimer(() => this.#checkWaiting());
  }

  send(call: Call, observer: CallObserver): ActiveCall {
    const nowMs = performance.now();
    const sent = new Http2Call(call, observer, nowMs);
    const connection = this.#closing ? undefined : this.#withRoom();
    if (connection !== undefined) connection.send(sent, nowMs);
    else this.#wait(sent, nowMs);
    return sent;
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#retireAll();
    if (this.#all.size > 0) await new Promise<void>((resolve) => (this.#allClosed = resolve));
  }

  destroy(error: ProxyError): void {
    this.#closing = true;
    this.#failWaiting(error);
    for (const connection of this.#all) connection.destroy(error);
  }

  ready(connection: UpstreamConnection): void {
    this.#connecting = null;
    this.#failures = 0;
    this.#lastFailure = null;
    this.#open.push(connection);
    this.roomOn(connection);
    if (this.#waiting.length > 0) this.#connect(performance.now());
    if (this.#closing) this.#retireAll();
  }

  roomOn(connection: UpstreamConnection): void {
    while (this.#waiting.length > 0 && connection.hasRoom) {
      const call = this.#waiting.shift() as Http2Call;
      if (!call.done) connection.send(call, performance.now());
      if (this.#closing) this.#retireAll();
    }
  }

  retired(connection: UpstreamConnection): void {
    const at = this.#open.indexOf(connection);
    if (at >= 0) this.#open.splice(at, 1);
    if (this.#waiting.length === 0) return;
    // The next one would hardly do better at once.
    if (at >= 0 && !connection.hasServed) this.#pause();
    this.#connect(performance.now());
  }

  closed(connection: UpstreamConnection, error: ProxyError | null): void {
    this.#all.delete(connection);
    if (connection === this.#connecting) this.#connecting = null;
    if (error !== null) this.#backOff(error);
    this.retired(connection);
    if (this.#all.size === 0) this.#allClosed?.();
  }

  #withRoom(): UpstreamConnection | undefined {
    for (const connection of this.#open) {
      if (connection.hasRoom) return connection;
    }
    return undefined;
  }

  #wait(call: Http2Call, nowMs: number): void {
    if (this.#closing) return failSoon(call, new ProxyError('upstream_unsent'));
    if (this.#waiting.length >= this.limits.maxPending) return failSoon(call, new ProxyError('pool_exhausted'));
    if (this.#lastFailure !== null && this.#all.size === 0 && nowMs < this.#notBeforeMs) {
      return failSoon(call, new ProxyError(this.#lastFailure.kind, this.#lastFailure.cause));
    }
    if (this.#waiting.length === 0) this.wheel.set(this.#timer, waitingTickMs);
    this.#waiting.push(call);
    this.#connect(nowMs);
  }

  #connect(nowMs: number): void {
    if (this.#connecting !== null || this.#open.length >= this.limits.maxConnections || nowMs < this.#notBeforeMs)
      return;
    const waitsLongest = this.#waiting.find((call) => !call.done);
    if (waitsLongest === undefined) return;
    this.#connecting = new UpstreamConnection(this, waitsLongest.call.timeouts.connectMs);
    this.#all.add(this.#connecting);
  }

  #backOff(error: ProxyError): void {
    this.#pause();
    this.#failures++;
    this.#lastFailure = error;
    if (this.#open.length === 0) this.#failWaiting(error);
  }

  /** Half of it is random, so that gateways do not come back all at once. */
  #pause(): void {
    const { minBackoffMs, maxBackoffMs } = this.limits;
    const pauseMs = Math.min(minBackoffMs * 2 ** this.#failures, maxBackoffMs);
    this.#notBeforeMs = performance.now() + pauseMs * (0.5 + this.#random() / 2);
  }

  #failWaiting(error: ProxyError): void {
    for (const call of this.#waiting.splice(0)) call.closed(error);
  }

  #checkWaiting(): void {
    const nowMs = performance.now();
    for (let i = this.#waiting.length - 1; i >= 0; i--) {
      const call = this.#waiting[i] as Http2Call;
      const expired = this.#expired(call, nowMs);
      if (!call.done && expired === null) continue;
      this.#waiting.splice(i, 1);
      if (expired !== null) call.closed(new ProxyError(expired));
    }
    if (this.#waiting.length === 0) return this.#closing ? this.#retireAll() : undefined;
    this.#connect(nowMs);
    this.wheel.set(this.#timer, waitingTickMs);
  }

  #expired(call: Http2Call, nowMs: number): ErrorKind | null {
    return call.expiredWaiting(nowMs, this.limits.pendingTimeoutMs, this.#open.length === 0);
  }

  /** Once no call waits any more, connections close as they become idle. */
  #retireAll(): void {
    if (this.#waiting.some((call) => !call.done)) return;
    for (const connection of this.#all) connection.retire();
  }
}

/** Never within `send`: its caller does not hold the call yet. */
function failSoon(call: Http2Call, error: ProxyError): void {
  process.nextTick(() => call.closed(error));
}
