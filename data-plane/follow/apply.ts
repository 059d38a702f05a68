import { create } from '@bufbuild/protobuf';

import { ConfigRefusalSchema, Kind } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { sameConfig } from '../../proto/snapshot/snapshot.js';

import type { ConfigRefusal, ConfigVersion, EndpointSet, Resource } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { Problem } from '../../proto/snapshot/problem.js';
import type { KnownConfig } from './config-track.js';

/** What runs the snapshots. Both methods change everything or nothing. */
export interface NodeRuntime {
  /** Throws when the config cannot be run, with a `problem` (see proto/snapshot/problem.ts) that says which resource and why. */
  applyConfig(resources: readonly Resource[]): void | Promise<void>;
  /**
   * The complete sets of the services that changed, and the services that are gone. Must not wait for `applyConfig`: also while that
   * compiles, an endpoint that is gone should get no request. Sets of services that no config names yet come before the config.
   */
  applyEndpoints(changed: readonly EndpointSet[], removed: readonly string[]): void;
}

export interface ApplyObserver {
  applied(config: KnownConfig, applyMs: number): void;
  refused(refusal: ConfigRefusal): void;
}

/**
 * Brings the newest known config into force, one at a time; what comes while one is compiled is skipped but for the newest. A config
 * that is refused is not tried again: the one before stays until there is another.
 */
export class Applier {
  readonly #runtime: NodeRuntime;
  readonly #newest: () => KnownConfig | null;
  readonly #ready: (config: KnownConfig) => Promise<void>;
  readonly #observer: ApplyObserver;
  #tried: ConfigVersion | null = null;
  #running: Promise<void> | null = null;
  #closed = false;

  /** `ready` resolves when the config may be applied, if only because it has waited long enough. */
  constructor(
    runtime: NodeRuntime,
    newest: () => KnownConfig | null,
    ready: (config: KnownConfig) => Promise<void>,
    observer: ApplyObserver,
  ) {
    this.#runtime = runtime;
    this.#newest = newest;
    this.#ready = ready;
    this.#observer = observer;
  }

  /** Looks whether there is a newer config. */
  poke(): void {
    this.#running ??= this.#run().finally(() => (this.#running = null));
  }

  /** Applies `config` now; says why not, or null. */
  async apply(config: KnownConfig): Promise<ConfigRefusal | null> {
    this.#tried = config.version;
    const startMs = performance.now();
    try {
      await this.#runtime.applyConfig(config.resources);
    } catch (error) {
      return toRefusal(config.version.revision, error);
    }
    this.#observer.applied(config, performance.now() - startMs);
    return null;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    for (let next = this.#untried(); next !== null; next = this.#untried()) {
      await this.#ready(next);
      const newest = this.#untried();
      if (newest === null) return;
      const refusal = await this.apply(newest);
      if (refusal !== null) this.#observer.refused(refusal);
    }
  }

  #untried(): KnownConfig | null {
    const newest = this.#newest();
    if (this.#closed || newest === null) return null;
    return this.#tried !== null && sameConfig(this.#tried, newest.version) ? null : newest;
  }
}

function toRefusal(revision: bigint, error: unknown): ConfigRefusal {
  const { kind, name, field, reason } = problemOf(error);
  return create(ConfigRefusalSchema, { revision, kind, name, field, reason });
}

function problemOf(error: unknown): Problem {
  if (error instanceof Error && 'problem' in error && isProblem(error.problem)) return error.problem;
  const reason = `the node failed to apply it: ${error instanceof Error ? error.message : String(error)}`;
  return { kind: Kind.UNSPECIFIED, name: '', field: '', reason };
}

function isProblem(value: unknown): value is Problem {
  return typeof value === 'object' && value !== null && 'kind' in value && 'reason' in value;
}
