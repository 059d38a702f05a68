import { BusError } from '../../proto/bus/bus.js';

import type { Bus, MessageHandler, RequestHandler, RequestOptions, Subscription } from '../../proto/bus/bus.js';

export interface Faults {
  /** Shares of what happens to a message on its way in, and to a request. */
  readonly drop: number;
  readonly duplicate: number;
  readonly delay: number;
  readonly failRequest: number;
}

/** A bus that loses, doubles, delays and so reorders what it hears, until it is told to be calm. */
export class FaultyBus implements Bus {
  readonly #bus: Bus;
  readonly #faults: Faults;
  readonly #random: () => number;
  #calm = false;

  constructor(bus: Bus, faults: Faults, random: () => number) {
    this.#bus = bus;
    this.#faults = faults;
    this.#random = random;
  }

  get state(): Bus['state'] {
    return this.#bus.state;
  }

  get maxPayloadBytes(): number {
    return this.#bus.maxPayloadBytes;
  }

  calm(): void {
    this.#calm = true;
  }

  onState(changed: Parameters<Bus['onState']>[0]): () => void {
    return this.#bus.onState(changed);
  }

  publish(subject: string, message: Uint8Array): void {
    this.#bus.publish(subject, message);
  }

  subscribe(subject: string, handler: MessageHandler, options?: { readonly queue?: string }): Subscription {
    let open = true;
    const hand: MessageHandler = (message, concrete) => void (open && handler(message, concrete));
    const subscription = this.#bus.subscribe(
      subject,
      (message, concrete) => {
        if (this.#happens('drop')) return;
        const late = this.#happens('delay') ? this.#random() * 30 : 0;
        const again = this.#happens('duplicate') ? this.#random() * 30 : null;
        if (late === 0) hand(message, concrete);
        else setTimeout(() => hand(message, concrete), late);
        if (again !== null) setTimeout(() => hand(message, concrete), again);
      },
      options,
    );
    return { close: () => ((open = false), subscription.close()) };
  }

  serve(subject: string, queue: string, handler: RequestHandler): Subscription {
    return this.#bus.serve(subject, queue, handler);
  }

  async request(subject: string, message: Uint8Array, options: RequestOptions): Promise<Uint8Array> {
    if (this.#happens('failRequest')) throw new BusError('timeout', 'made to fail');
    return this.#bus.request(subject, message, options);
  }

  flush(): Promise<void> {
    return this.#bus.flush();
  }

  close(): Promise<void> {
    return this.#bus.close();
  }

  #happens(fault: keyof Faults): boolean {
    return !this.#calm && this.#random() < this.#faults[fault];
  }
}
