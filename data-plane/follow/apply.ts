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

export interface ApplierDeps {
  readonly newest: () => KnownConfig | null;
  /** Resolves when the config may be applied, if only because it has waited long enough. */
  readonly ready: (config: KnownConfig) => Promise<void>;
  readonly applied: (config: KnownConfig, applyMs: number) => void;
  readonly refused: (refusal: ConfigRefusal) => void;
}

/**
 * Brings the newest known config into force, one at a time; what comes while one is compiled is skipped but for the newest. A config
 * that is refused is not tried again: the one before stays until there is another.
 */
export class Applier {
  readonly #runtime: NodeRuntime;
  readonly #deps: ApplierDeps;
  #tried: ConfigVersion | null = null;
  #running: Promise<void> | null = null;
  #closed = false;

  constructor(runtime: NodeRuntime, deps: ApplierDeps) {
    this.#runtime = runtime;
    this.#deps = deps;
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
    this.#deps.applied(config, performance.now() - startMs);
    return null;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    for (let next = this.#untried(); next !== null; next = this.#untried()) {
      await this.#deps.ready(next);
      const newest = this.#untried();
      if (newest === null) return;
      const refusal = await this.apply(newest);
      if (refusal !== null) this.#deps.refused(refusal);
    }
  }

  #untried(): KnownConfig | null {
    const newest = this.#deps.newest();
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
