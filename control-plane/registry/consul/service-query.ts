import { ConsulError } from './reading/client.js';
import { parseAnswer } from './meaning/entry.js';
import { Position } from './reading/position.js';

import type { ConsulClient, Read, Reply } from './reading/client.js';
import type { Entry, SkippedEntry } from './meaning/entry.js';
import type { Follower } from './reading/follow.js';
import type { Timing } from './reading/timing.js';
import type { Subscription } from './subscription.js';

export interface QueryObserver {
  /** Another answer or its absence may have changed the status. */
  changed(): void;
  /** It is not answered any more, and why. */
  failing(query: ServiceQuery, reason: string): void;
  recovered(query: ServiceQuery): void;
  skipped(query: ServiceQuery, entries: readonly SkippedEntry[]): void;
  /** A healthy Consul says that every one of the `count` instances is deregistered. */
  emptied(query: ServiceQuery, count: number): void;
}

/** The question for one Consul service in one datacenter, whoever asks it and however often; shared by all that want the answer. */
export class ServiceQuery implements Follower {
  readonly service: string;
  readonly datacenter: string;
  readonly position: Position;
  readonly subscriptions = new Set<Subscription>();
  readonly startedAtMs = performance.now();
  readonly #client: ConsulClient;
  readonly #observer: QueryObserver;
  #entries: readonly Entry[] | null = null;
  #answeredAtMs: number | null = null;
  #failure = '';
  #skipped = '';

  constructor(
    name: { readonly service: string; readonly datacenter: string },
    client: ConsulClient,
    timing: Timing,
    observer: QueryObserver,
  ) {
    this.service = name.service;
    this.datacenter = name.datacenter;
    this.position = new Position(timing);
    this.#client = client;
    this.#observer = observer;
  }

  /** When the held answer was given; null when none is held. */
  get answeredAtMs(): number | null {
    return this.#answeredAtMs;
  }

  get isFailing(): boolean {
    return this.#failure !== '';
  }

  get instanceCount(): number {
    return this.#entries?.length ?? 0;
  }

  /** Whether it has an instance on one of these nodes. */
  isOnAny(nodes: ReadonlySet<string>): boolean {
    return this.#entries?.some(({ node }) => nodes.has(node)) ?? false;
  }

  /** Whether instances may come and go without a change of any check but a node's. */
  get hasUncheckedInstance(): boolean {
    const entries = this.#entries ?? [];
    return entries.length === 0 || entries.some(({ checks }) => !checks.some(({ ofService }) => ofService));
  }

  subscribe(subscription: Subscription): void {
    this.subscriptions.add(subscription);
    if (this.#entries !== null) subscription.see(this.#entries, '');
    if (this.isFailing) subscription.answersFail();
  }

  async ask(read: Read): Promise<Reply> {
    return this.#client.service(this.service, this.datacenter, read);
  }

  answered(reply: Reply, doubt: string): void {
    const parsed = parseAnswer(reply.body);
    if ('error' in parsed) throw new ConsulError(`Consul answered something else than instances: ${parsed.error}`);
    const countBefore = this.instanceCount;
    this.#entries = parsed.entries;
    this.#answeredAtMs = performance.now();
    this.#noteSkipped(parsed.skipped);
    for (const subscription of this.subscriptions) subscription.see(parsed.entries, doubt);
    if (countBefore > 0 && parsed.entries.length === 0 && doubt === '') this.#observer.emptied(this, countBefore);
    if (this.isFailing) {
      this.#failure = '';
      this.#observer.recovered(this);
    }
    this.#observer.changed();
  }

  failed(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    const isNews = reason !== this.#failure;
    this.#failure = reason;
    for (const subscription of this.subscriptions) subscription.answersFail();
    if (isNews) this.#observer.failing(this, reason);
    this.#observer.changed();
  }

  #noteSkipped(skipped: readonly SkippedEntry[]): void {
    const notes = skipped.map(({ id, field, reason }) => `${id} ${field} ${reason}`).join('\n');
    if (notes === this.#skipped) return;
    this.#skipped = notes;
    if (skipped.length > 0) this.#observer.skipped(this, skipped);
  }
}
