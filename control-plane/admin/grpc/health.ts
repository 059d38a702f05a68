import { create } from '@bufbuild/protobuf';

import {
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthCheckResponseSchema,
  HealthListResponseSchema,
} from '../../../proto/gen/grpc/health/v1/health_pb.js';
import { AdminError, code } from '../../errors.js';
import { firstAbort } from './abort.js';

import type { Health, HealthCheckResponse } from '../../../proto/gen/grpc/health/v1/health_pb.js';
import type { Handlers } from './grpc.js';

/** The standard health service: every name in `services`, and the server as a whole (''), serve from start to `stop`. */
export class HealthState {
  readonly #services: ReadonlySet<string>;
  readonly #stopping = new AbortController();

  constructor(services: readonly string[]) {
    this.#services = new Set(['', ...services]);
  }

  /** NOT_SERVING from now on; watchers are told, and their streams end. */
  stop(): void {
    this.#stopping.abort();
  }

  handlers(): Handlers<typeof Health> {
    return {
      check: async ({ service }) => {
        if (!this.#services.has(service))
          throw new AdminError(code.notFound, 'NO_SUCH_SERVICE', 'No service of this name is served here.');
        return this.#status();
      },
      list: async () => {
        const statuses = Object.fromEntries([...this.#services].map((name) => [name, this.#status()]));
        return create(HealthListResponseSchema, { statuses });
      },
      watch: ({ service }, { signal }) => this.#watch(service, signal),
    };
  }

  #status(): HealthCheckResponse {
    const status = this.#stopping.signal.aborted ? ServingStatus.NOT_SERVING : ServingStatus.SERVING;
    return create(HealthCheckResponseSchema, { status });
  }

  /** An unknown name is not an error here: the protocol lets a watcher wait for it. */
  async *#watch(service: string, signal: AbortSignal): AsyncGenerator<HealthCheckResponse> {
    const known = this.#services.has(service);
    yield known ? this.#status() : create(HealthCheckResponseSchema, { status: ServingStatus.SERVICE_UNKNOWN });
    await firstAbort(signal, this.#stopping.signal);
    if (known && !signal.aborted) yield this.#status();
  }
}
