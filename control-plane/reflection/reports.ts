import { create } from '@bufbuild/protobuf';

import { open, seal } from '../../proto/bus/bus.js';
import { ReflectionReportSchema } from '../../proto/gen/sluice/v1/snapshot_pb.js';

import type { Bus, Subjects } from '../../proto/bus/bus.js';
import type { ReflectionStatus } from '../../proto/gen/sluice/v1/snapshot_pb.js';

interface Heard {
  readonly epoch: bigint;
  readonly status: ReflectionStatus;
}

interface Own {
  /** Null while this replica does not lead. */
  readonly epoch: bigint | null;
  readonly statuses: readonly ReflectionStatus[];
}

/** No word of a schema for so many report times, and it is forgotten. */
const forgetAfter = 12;

/**
 * Lets every replica show what the leader knows: the leader tells after each round, and all of it again from time to time, since the
 * bus loses messages and replicas start.
 */
export class Reports {
  readonly #bus: Bus;
  readonly #subject: string;
  readonly #everyMs: number;
  readonly #heard = new Map<string, Heard & { unheard: number }>();
  #stop: () => void = () => undefined;

  constructor(bus: Bus, subjects: Subjects, everyMs: number) {
    this.#bus = bus;
    this.#subject = subjects.reflection;
    this.#everyMs = everyMs;
  }

  heard(schema: string): ReflectionStatus | null {
    return this.#heard.get(schema)?.status ?? null;
  }

  start(own: () => Own): void {
    const subscription = this.#bus.subscribe(this.#subject, (message) => this.#hear(message));
    const timer = setInterval(() => this.#repeat(own()), this.#everyMs);
    this.#stop = () => {
      clearInterval(timer);
      subscription.close();
    };
  }

  /** Says nothing without an epoch: another leads. */
  send(epoch: bigint | null, status: ReflectionStatus): void {
    if (epoch === null) return;
    // For when it does not lead any more, until the next leader has said something.
    this.#heard.set(status.schema, { epoch, status, unheard: 0 });
    const message = seal(ReflectionReportSchema, create(ReflectionReportSchema, { epoch, schemas: [status] }));
    if (message.length <= this.#bus.maxPayloadBytes) this.#bus.publish(this.#subject, message);
  }

  /** A schema of that name that comes later begins anew. */
  forget(schema: string): void {
    this.#heard.delete(schema);
  }

  close(): void {
    this.#stop();
  }

  #repeat({ epoch, statuses }: Own): void {
    for (const [schema, heard] of this.#heard) if (++heard.unheard > forgetAfter) this.#heard.delete(schema);
    for (const status of statuses) if (status.lastAttempt !== undefined) this.send(epoch, status);
  }

  #hear(message: Uint8Array): void {
    const opened = open(ReflectionReportSchema, message);
    if ('fault' in opened) return;
    const { epoch, schemas } = opened.message;
    for (const status of schemas) {
      const known = this.#heard.get(status.schema);
      if (known === undefined || known.epoch <= epoch) this.#heard.set(status.schema, { epoch, status, unheard: 0 });
    }
  }
}
