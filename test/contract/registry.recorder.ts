import { EndpointState, SourceState } from '../../proto/gen/sluice/v1/snapshot_pb.js';

import type { Registry, RegistryObserver, RegistryStatus } from '../../control-plane/registry/registry.js';
import type { Endpoint } from '../../proto/gen/sluice/v1/snapshot_pb.js';

interface Report {
  readonly service: string;
  readonly endpoints: readonly Endpoint[];
  readonly atMs: number;
}

const PATIENCE_MS = 8_000;

/** An observer that keeps what it hears, and waits for what a test expects to hear. */
export class Recorder implements RegistryObserver {
  readonly reports: Report[] = [];
  readonly states: SourceState[] = [];
  readonly #waiting = new Set<() => void>();

  static of(registry: Registry): Recorder {
    const recorder = new Recorder();
    registry.observe(recorder);
    return recorder;
  }

  endpoints(service: string, endpoints: readonly Endpoint[]): void {
    this.reports.push({ service, endpoints, atMs: performance.now() });
    this.#wake();
  }

  status(status: RegistryStatus): void {
    this.states.push(status.state);
    this.#wake();
  }

  last(service: string): readonly Endpoint[] | undefined {
    return this.reports.findLast((report) => report.service === service)?.endpoints;
  }

  count(service: string): number {
    return this.reports.filter((report) => report.service === service).length;
  }

  /** One line per endpoint: `id address:port weight state (reason)`; undefined before the first report. */
  lines(service: string): readonly string[] | undefined {
    return this.last(service)?.map(({ id, address, port, weight, state, reason }) =>
      [id, `${address}:${port}`, weight, EndpointState[state], ...(reason === '' ? [] : [`(${reason})`])].join(' '),
    );
  }

  /** `id state` of each endpoint. */
  standing(service: string): readonly string[] | undefined {
    return this.last(service)?.map(({ id, state }) => `${id} ${EndpointState[state]}`);
  }

  /** Resolves with the time at which the condition came true; says what was seen when it does not. */
  async until(condition: (recorder: Recorder) => boolean, patienceMs = PATIENCE_MS): Promise<number> {
    if (condition(this)) return performance.now();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(check);
        reject(new Error(`not within ${patienceMs} ms; heard last: ${this.#heard()}`));
      }, patienceMs);
      const check = (): void => {
        if (!condition(this)) return;
        clearTimeout(timer);
        this.#waiting.delete(check);
        resolve(performance.now());
      };
      this.#waiting.add(check);
    });
  }

  #wake(): void {
    for (const check of this.#waiting) check();
  }

  #heard(): string {
    const services = [...new Set(this.reports.map(({ service }) => service))];
    const sets = services.map((service) => `${service}: ${this.lines(service)?.join(', ')}`);
    return [...sets, `states: ${this.states.map((state) => SourceState[state]).join(' ')}`].join('\n');
  }
}
