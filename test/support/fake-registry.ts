import { SourceState } from '../../proto/gen/sluice/v1/snapshot_pb.js';

import type {
  Registry,
  RegistryObserver,
  RegistryStatus,
  WantedService,
} from '../../control-plane/registry/registry.js';
import type { Endpoint } from '../../proto/gen/sluice/v1/snapshot_pb.js';

/** What a registry would say, said by a test: the same to every replica that got this object's `connect()`. */
export class FakeRegistry {
  readonly #answers = new Map<string, readonly Endpoint[]>();
  readonly #connections = new Set<FakeRegistryConnection>();

  connect(): Registry {
    const connection = new FakeRegistryConnection(this.#answers);
    this.#connections.add(connection);
    return connection;
  }

  answer(service: string, endpoints: readonly Endpoint[]): void {
    this.#answers.set(service, endpoints);
    for (const connection of this.#connections) connection.tell(service);
  }
}

class FakeRegistryConnection implements Registry {
  readonly #answers: ReadonlyMap<string, readonly Endpoint[]>;
  #observer: RegistryObserver | null = null;
  #wanted = new Set<string>();

  constructor(answers: ReadonlyMap<string, readonly Endpoint[]>) {
    this.#answers = answers;
  }

  observe(observer: RegistryObserver): void {
    this.#observer = observer;
  }

  want(services: readonly WantedService[]): void {
    const before = this.#wanted;
    this.#wanted = new Set(services.map(({ service }) => service));
    for (const service of this.#wanted) if (!before.has(service)) this.tell(service);
  }

  tell(service: string): void {
    const endpoints = this.#answers.get(service);
    if (endpoints !== undefined && this.#wanted.has(service)) this.#observer?.endpoints(service, endpoints);
  }

  status(): RegistryStatus {
    return { state: SourceState.UP, staleMs: 0 };
  }

  async close(): Promise<void> {
    this.#observer = null;
  }
}
