import { connect, ErrorCode, Events, headers, NatsError } from 'nats';

import { BusError } from './bus.js';

import type { ConnectionOptions, Msg, NatsConnection, Subscription as NatsSubscription } from 'nats';
import type {
  Bus,
  BusErrorKind,
  BusLog,
  BusState,
  MessageHandler,
  RequestHandler,
  RequestOptions,
  Subscription,
} from './bus.js';

export interface NatsOptions {
  /** `nats://host:port`; user and password of the first one that has them count for all. */
  readonly servers: readonly string[];
  /** Shown by the server's monitoring. */
  readonly name: string;
  readonly log: BusLog;
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  /** Between two dials of one server, plus up to as much again at random. Larger for larger fleets. Default 250 ms. */
  readonly reconnectWaitMs?: number;
}

const guessedPayloadBytes = 1024 * 1024;
const connectTimeoutMs = 5_000;
const flushTimeoutMs = 5_000;
const closeFlushMs = 1_000;
/** Marks an answer that says only that there is none. */
const failedHeader = 'Sluice-Failed';

/** Subscribed anew on every connection of the client library, should it have to be replaced. */
interface Listener {
  readonly subject: string;
  readonly queue: string | undefined;
  readonly receive: (message: Msg) => void;
  live: NatsSubscription | null;
}

/**
 * The bus over core NATS. Returns at once and connects in the background for as long as it takes; it never gives up, not for
 * refused credentials either, since those can be put right on the server.
 */
export function natsBus(options: NatsOptions): Bus {
  return new NatsBus(options);
}

class NatsBus implements Bus {
  readonly #options: NatsOptions;
  readonly #listeners = new Set<Listener>();
  readonly #observers = new Set<(state: BusState) => void>();
  readonly #waiting = new Set<(error: BusError) => void>();
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  #state: BusState = 'disconnected';
  #connection: NatsConnection | null = null;
  #lastDialError = '';

  constructor(options: NatsOptions) {
    this.#options = options;
    this.#running = this.#run();
  }

  get state(): BusState {
    return this.#state;
  }

  get maxPayloadBytes(): number {
    return this.#connection?.info?.max_payload ?? guessedPayloadBytes;
  }

  onState(changed: (state: BusState) => void): () => void {
    this.#observers.add(changed);
    return () => void this.#observers.delete(changed);
  }

  publish(subject: string, message: Uint8Array): void {
    const limit = this.maxPayloadBytes;
    if (message.length > limit) {
      throw new BusError('too-large', `${message.length} bytes for ${subject}, where the server takes ${limit}`);
    }
    // The client would queue it and lose or deliver it late, as its next dial happens to come.
    if (this.#state === 'connected') this.#connection?.publish(subject, message);
  }

  subscribe(subject: string, handler: MessageHandler, options: { readonly queue?: string } = {}): Subscription {
    return this.#listen(subject, options.queue, (message) => handler(message.data, message.subject));
  }

  serve(subject: string, queue: string, handler: RequestHandler): Subscription {
    return this.#listen(subject, queue, (message) => {
      handler(message.data).then(
        (answer) => this.#respond(message, answer),
        (error: unknown) => {
          this.#options.log.warn('a request could not be answered', { subject, error: String(error) });
          this.#respondFailed(message);
        },
      );
    });
  }

  async request(subject: string, message: Uint8Array, { timeoutMs, signal }: RequestOptions): Promise<Uint8Array> {
    const connection = this.#connected();
    signal?.throwIfAborted();
    try {
      const answer = await this.#unlessLost(connection.request(subject, message, { timeout: timeoutMs }), signal);
      if (answer.headers?.has(failedHeader) === true) throw new BusError('failed', `${subject} could not be answered`);
      return answer.data;
    } catch (error) {
      throw error instanceof NatsError ? toBusError(subject, error) : error;
    }
  }

  async flush(): Promise<void> {
    const connection = this.#connected();
    try {
      await this.#unlessLost(connection.flush(), AbortSignal.timeout(flushTimeoutMs));
    } catch (error) {
      if (error instanceof NatsError) throw toBusError('flush', error);
      throw error instanceof BusError ? error : new BusError('timeout', `no flush in ${flushTimeoutMs} ms`, error);
    }
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    if (this.#state === 'connected') await Promise.race([this.flush().catch(() => undefined), delay(closeFlushMs)]);
    this.#closing.abort();
    await this.#connection?.close();
    // A dial in progress cannot be stopped; what it opens is closed at once.
    await Promise.race([this.#running, delay(closeFlushMs)]);
    this.#turn('closed');
  }

  /** One pass is one connection of the library, which in turn reconnects by itself for as long as it can. */
  async #run(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      const connection = await this.#dial();
      if (connection === null) {
        await delay(this.#reconnectDelayMs(), signal);
        continue;
      }
      this.#connection = connection;
      if (signal.aborted) await connection.close();
      else this.#opened(connection);
      const error = await connection.closed();
      if (error !== undefined && !signal.aborted)
        this.#options.log.warn('the NATS client gave up; starting another', { error: error.message });
      this.#turn('disconnected');
      this.#connection = null;
    }
  }

  async #dial(): Promise<NatsConnection | null> {
    try {
      const connection = await connect(connectionOptions(this.#options, () => this.#reconnectDelayMs()));
      this.#lastDialError = '';
      return connection;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (message !== this.#lastDialError) this.#options.log.warn('NATS cannot be reached yet', { error: message });
      this.#lastDialError = message;
      return null;
    }
  }

  #opened(connection: NatsConnection): void {
    for (const listener of this.#listeners) listener.live = this.#subscribeOn(connection, listener);
    void this.#follow(connection);
    this.#turn('connected');
  }

  async #follow(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      if (status.type === Events.Disconnect) this.#turn('disconnected');
      if (status.type === Events.Reconnect) {
        this.#resubscribeRefused(connection);
        this.#turn('connected');
      }
      if (status.type === Events.Error) this.#options.log.warn('NATS reports an error', { error: status.data });
    }
  }

  /** The library drops a subscription that the server did not allow; the next server, or the same with other rights, may. */
  #resubscribeRefused(connection: NatsConnection): void {
    for (const listener of this.#listeners) {
      if (listener.live?.isClosed() !== false) listener.live = this.#subscribeOn(connection, listener);
    }
  }

  #listen(subject: string, queue: string | undefined, receive: (message: Msg) => void): Subscription {
    const listener: Listener = { subject, queue, receive, live: null };
    this.#listeners.add(listener);
    if (this.#connection !== null && !this.#connection.isClosed())
      listener.live = this.#subscribeOn(this.#connection, listener);
    return {
      close: () => {
        this.#listeners.delete(listener);
        listener.live?.unsubscribe();
      },
    };
  }

  #subscribeOn(connection: NatsConnection, listener: Listener): NatsSubscription {
    const { subject, queue } = listener;
    return connection.subscribe(subject, {
      ...(queue === undefined ? {} : { queue }),
      callback: (error, message) => {
        if (error !== null)
          return this.#options.log.warn('NATS refused a subscription', { subject, error: error.message });
        if (!this.#listeners.has(listener)) return;
        try {
          listener.receive(message);
        } catch (thrown) {
          this.#options.log.warn('a bus handler threw', { subject, error: String(thrown) });
        }
      },
    });
  }

  #respond(message: Msg, answer: Uint8Array): void {
    try {
      message.respond(answer);
    } catch (error) {
      this.#options.log.warn('an answer could not be sent', { subject: message.subject, error: String(error) });
      this.#respondFailed(message);
    }
  }

  #respondFailed(message: Msg): void {
    if (this.#state !== 'connected') return;
    const failed = headers();
    failed.set(failedHeader, '1');
    message.respond(undefined, { headers: failed });
  }

  /** The library notices neither an abort nor, before a timeout, that the connection is gone. */
  #unlessLost<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => reject(signal?.reason);
      this.#waiting.add(reject);
      signal?.addEventListener('abort', onAbort, { once: true });
      work.then(resolve, reject).finally(() => {
        this.#waiting.delete(reject);
        signal?.removeEventListener('abort', onAbort);
      });
    });
  }

  #connected(): NatsConnection {
    if (this.#closing.signal.aborted) throw new BusError('closed', 'the bus is closed');
    if (this.#connection === null || this.#state !== 'connected')
      throw new BusError('disconnected', 'no connection to NATS');
    return this.#connection;
  }

  #turn(state: BusState): void {
    if (this.#state === state || this.#state === 'closed') return;
    this.#state = state;
    if (state !== 'connected') {
      for (const fail of this.#waiting) fail(new BusError(state, 'the connection to NATS was lost'));
    }
    this.#options.log.info(`bus ${state}`);
    for (const changed of this.#observers) changed(state);
  }

  #reconnectDelayMs(): number {
    const wait = this.#options.reconnectWaitMs ?? 250;
    return wait + Math.random() * wait;
  }
}

function connectionOptions(options: NatsOptions, reconnectDelayHandler: () => number): ConnectionOptions {
  const urls = options.servers.map((server) => new URL(server.includes('://') ? server : `nats://${server}`));
  const login = urls.find((url) => url.username !== '');
  return {
    servers: urls.map((url) => url.host),
    name: options.name,
    ...(login === undefined
      ? {}
      : { user: decodeURIComponent(login.username), pass: decodeURIComponent(login.password) }),
    ...(options.tls === undefined ? {} : { tls: options.tls }),
    timeout: connectTimeoutMs,
    reconnectDelayHandler,
    // Its default is ten attempts, then closed for good; two refused logins in a row are another such end.
    maxReconnectAttempts: -1,
    ignoreAuthErrorAbort: true,
    // Its default needs four minutes to notice a dead link.
    pingInterval: 10_000,
    maxPingOut: 2,
    noEcho: true,
  };
}

function toBusError(subject: string, error: NatsError): BusError {
  return new BusError(kindByCode[error.code] ?? 'failed', `${subject}: ${error.message}`, error);
}

const kindByCode: Readonly<Record<string, BusErrorKind>> = {
  [ErrorCode.Timeout]: 'timeout',
  [ErrorCode.NoResponders]: 'no-responders',
  [ErrorCode.ConnectionClosed]: 'disconnected',
  [ErrorCode.Disconnect]: 'disconnected',
  [ErrorCode.MaxPayloadExceeded]: 'too-large',
};

function delay(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve();
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
    function done(): void {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    }
  });
}
