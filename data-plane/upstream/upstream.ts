import { Endpoint, weightedRoundRobin, type EndpointAddress, type Picker } from '../balancer/balancer.js';
import { ProxyError } from '../errors.js';
import { RetryBudget } from '../retry.js';
import type { Transport } from './transport.js';

export { tlsOptions } from './tls.js';

export type TransportFactory = (endpoint: EndpointAddress) => Transport;

/**
 * A service as the request path holds it: its endpoints with their connections, and what is counted of it. Lives as long as
 * the service talks the same protocol to the same names; endpoint changes touch it and nothing else. Routes keep a reference.
 */
export class Upstream {
  readonly retryBudget = new RetryBudget();
  requestsInFlight = 0;
  readonly #transportFor: TransportFactory;
  readonly #random: () => number;
  readonly #defaultPort: number;
  #endpoints: ReadonlyMap<string, Endpoint> = new Map();
  #list: readonly Endpoint[] = [];
  #picker: Picker;

  constructor(transportFor: TransportFactory, defaultPort: number, random: () => number) {
    this.#transportFor = transportFor;
    this.#defaultPort = defaultPort;
    this.#random = random;
    this.#picker = weightedRoundRobin([], random);
  }

  get endpoints(): readonly Endpoint[] {
    return this.#list;
  }

  pick(nowMs: number, tried: readonly Endpoint[]): Endpoint | null {
    return this.#picker.pick(nowMs, tried);
  }

  /**
   * Takes the complete set. An endpoint that stays keeps its connections and counters; one that left is not picked any more,
   * finishes what it has in flight and closes.
   */
  setEndpoints(addresses: readonly EndpointAddress[]): void {
    const next = new Map<string, Endpoint>();
    for (const address of addresses) next.set(address.id, this.#endpointFor(address));
    for (const [id, endpoint] of this.#endpoints) {
      if (next.get(id) !== endpoint) void endpoint.transport.close();
    }
    this.#endpoints = next;
    this.#list = [...next.values()];
    this.#picker = weightedRoundRobin(this.#list, this.#random);
  }

  #endpointFor(address: EndpointAddress): Endpoint {
    const known = this.#endpoints.get(address.id);
    if (known !== undefined && known.address === address.address && known.port === address.port) {
      known.weight = address.weight;
      known.suspect = address.suspect;
      return known;
    }
    return new Endpoint(address, this.#authority(address), this.#transportFor(address));
  }

  /** The port is left out where it is the scheme's. */
  #authority({ address, port }: EndpointAddress): string {
    const host = address.includes(':') ? `[${address}]` : address;
    return port === this.#defaultPort ? host : `${host}:${port}`;
  }

  /** Lets calls in flight finish. */
  async close(): Promise<void> {
    await Promise.all(this.#list.map((endpoint) => endpoint.transport.close()));
  }

  destroy(): void {
    for (const endpoint of this.#list) endpoint.transport.destroy(new ProxyError('draining'));
  }
}
