import { BusError } from './bus.js';

import type { Bus, BusLog, BusState, MessageHandler, RequestHandler, RequestOptions, Subscription } from './bus.js';

/** The same limit as a NATS server's default, so that what works in one process works in a cluster. */
const maxPayloadBytes = 1024 * 1024;

interface Subscriber {
  readonly owner: MemoryBus;
  readonly pattern: readonly string[];
  readonly queue: string | null;
  readonly receive: (message: Uint8Array, subject: string, reply: Reply | null) => void;
}

type Reply = (answer: { readonly message: Uint8Array } | { readonly error: BusError }) => void;

/**
 * The bus of a process that holds both planes: each plane gets a `connect()` of one broker. Delivery is asynchronous and in order,
 * as over a network, so that no code comes to rely on a handler having run when `publish` returns.
 */
export class MemoryBroker {
  readonly #log: BusLog;
  readonly #subscribers = new Set<Subscriber>();
  readonly #deliveries: (() => void)[] = [];
  #turn = 0;

  constructor(log: BusLog) {
    this.#log = log;
  }

  connect(): Bus {
    return new MemoryBus(this);
  }

  add(subscriber: Subscriber): Subscription {
    this.#subscribers.add(subscriber);
    return { close: () => void this.#subscribers.delete(subscriber) };
  }

  removeAll(owner: MemoryBus): void {
    for (const subscriber of this.#subscribers) if (subscriber.owner === owner) this.#subscribers.delete(subscriber);
  }

  send(from: MemoryBus, subject: string, message: Uint8Array): void {
    if (message.length > maxPayloadBytes) {
      throw new BusError('too-large', `${message.length} bytes for ${subject}, where ${maxPayloadBytes} are the limit`);
    }
    for (const subscriber of this.#receivers(from, subject)) this.#deliver(subscriber, subject, message, null);
  }

  ask(from: MemoryBus, subject: string, message: Uint8Array, reply: Reply): void {
    const receivers = this.#receivers(from, subject);
    if (receivers.length === 0) reply({ error: new BusError('no-responders', `nobody serves ${subject}`) });
    for (const subscriber of receivers) this.#deliver(subscriber, subject, message, reply);
  }

  /** Runs `then` after everything that has been sent so far has been delivered. */
  afterDelivery(then: () => void): void {
    if (this.#deliveries.push(then) === 1) setImmediate(() => this.#drain());
  }

  #receivers(from: MemoryBus, subject: string): Subscriber[] {
    const tokens = subject.split('.');
    const receivers: Subscriber[] = [];
    const queues = new Map<string, Subscriber[]>();
    for (const subscriber of this.#subscribers) {
      if (subscriber.owner === from || !matches(subscriber.pattern, tokens)) continue;
      if (subscriber.queue === null) receivers.push(subscriber);
      else {
        const key = `${subscriber.queue} ${subscriber.pattern.join('.')}`;
        queues.set(key, [...(queues.get(key) ?? []), subscriber]);
      }
    }
    for (const members of queues.values()) {
      const member = members[this.#turn++ % members.length];
      if (member !== undefined) receivers.push(member);
    }
    return receivers;
  }

  #deliver(subscriber: Subscriber, subject: string, message: Uint8Array, reply: Reply | null): void {
    this.afterDelivery(() => {
      if (!this.#subscribers.has(subscriber)) return;
      try {
        subscriber.receive(message, subject, reply);
      } catch (error) {
        this.#log.warn('a bus handler threw', { subject, error: String(error) });
      }
    });
  }

  #drain(): void {
    for (const delivery of this.#deliveries.splice(0)) delivery();
  }
}

class MemoryBus implements Bus {
  readonly #broker: MemoryBroker;
  readonly #observers = new Set<(state: BusState) => void>();
  readonly #waiting = new Set<(error: BusError) => void>();
  #state: BusState = 'connected';

  constructor(broker: MemoryBroker) {
    this.#broker = broker;
  }

  get state(): BusState {
    return this.#state;
  }

  get maxPayloadBytes(): number {
    return maxPayloadBytes;
  }

  onState(changed: (state: BusState) => void): () => void {
    this.#observers.add(changed);
    return () => void this.#observers.delete(changed);
  }

  publish(subject: string, message: Uint8Array): void {
    if (this.#state === 'connected') this.#broker.send(this, subject, message);
  }

  subscribe(subject: string, handler: MessageHandler, options: { readonly queue?: string } = {}): Subscription {
    return this.#broker.add({
      owner: this,
      pattern: subject.split('.'),
      queue: options.queue ?? null,
      receive: (message, concrete) => handler(message, concrete),
    });
  }

  serve(subject: string, queue: string, handler: RequestHandler): Subscription {
    return this.#broker.add({
      owner: this,
      pattern: subject.split('.'),
      queue,
      receive: (message, concrete, reply) => {
        handler(message).then(
          (answer) => reply?.({ message: answer }),
          (error: unknown) => reply?.({ error: new BusError('failed', `${concrete} could not be answered`, error) }),
        );
      },
    });
  }

  request(subject: string, message: Uint8Array, { timeoutMs, signal }: RequestOptions): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      if (this.#state === 'closed') return reject(new BusError('closed', 'the bus is closed'));
      if (signal?.aborted === true) return reject(signal.reason);
      const settle = (act: () => void): void => {
        clearTimeout(timer);
        this.#waiting.delete(fail);
        signal?.removeEventListener('abort', onAbort);
        act();
      };
      const fail = (error: BusError): void => settle(() => reject(error));
      const onAbort = (): void => settle(() => reject(signal?.reason));
      const timer = setTimeout(
        () => fail(new BusError('timeout', `no answer to ${subject} in ${timeoutMs} ms`)),
        timeoutMs,
      );
      this.#waiting.add(fail);
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#broker.ask(this, subject, message, (answer) => {
        if ('error' in answer) fail(answer.error);
        else settle(() => resolve(answer.message));
      });
    });
  }

  flush(): Promise<void> {
    if (this.#state === 'closed') return Promise.reject(new BusError('closed', 'the bus is closed'));
    return new Promise((resolve) => this.#broker.afterDelivery(resolve));
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    await this.flush();
    this.#state = 'closed';
    this.#broker.removeAll(this);
    for (const fail of this.#waiting) fail(new BusError('closed', 'the bus was closed'));
    for (const changed of this.#observers) changed('closed');
  }
}

function matches(pattern: readonly string[], subject: readonly string[]): boolean {
  for (const [index, token] of pattern.entries()) {
    if (token === '>') return subject.length > index;
    if (index >= subject.length || (token !== '*' && token !== subject[index])) return false;
  }
  return pattern.length === subject.length;
}
