import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';

import { LastGoodSchema } from '../../proto/gen/sluice/v1/snapshot_pb.js';

import type { EndpointSet, LastGood } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { KnownConfig } from './config-track.js';
import type { LastGoodStore } from './last-good.js';

/** The least time between two writes, for what has changed. Endpoints change often and matter less: a node can do without the last. */
export interface SaveTimes {
  readonly configMs: number;
  readonly endpointsMs: number;
}

/** Writes what is in force to disk, not more often than it should, one write at a time. */
export class Saver {
  readonly #disk: LastGoodStore;
  readonly #current: () => LastGood | null;
  readonly #times: SaveTimes;
  readonly #failed: (error: unknown) => void;
  #timer: NodeJS.Timeout | undefined;
  #dueMs = Infinity;
  #lastMs = -Infinity;
  #saving: Promise<void> = Promise.resolve();

  constructor(disk: LastGoodStore, current: () => LastGood | null, times: SaveTimes, failed: (error: unknown) => void) {
    this.#disk = disk;
    this.#current = current;
    this.#times = times;
    this.#failed = failed;
  }

  configChanged(): void {
    this.#schedule(this.#times.configMs);
  }

  endpointsChanged(): void {
    this.#schedule(this.#times.endpointsMs);
  }

  /** Writes what waits. */
  async close(): Promise<void> {
    const waiting = this.#dueMs !== Infinity;
    this.#stopTimer();
    if (waiting) this.#save();
    await this.#saving;
  }

  #schedule(apartMs: number): void {
    const dueMs = Math.max(performance.now(), this.#lastMs + apartMs);
    if (dueMs >= this.#dueMs) return;
    this.#stopTimer();
    this.#dueMs = dueMs;
    this.#timer = setTimeout(() => this.#save(), dueMs - performance.now());
  }

  #save(): void {
    this.#stopTimer();
    this.#lastMs = performance.now();
    this.#saving = this.#saving.then(() => this.#write());
  }

  async #write(): Promise<void> {
    const lastGood = this.#current();
    if (lastGood === null) return;
    try {
      await this.#disk.save(lastGood);
    } catch (error) {
      this.#failed(error);
    }
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#dueMs = Infinity;
  }
}

export function lastGoodOf(config: KnownConfig, sets: readonly EndpointSet[], nowMs: number): LastGood {
  return create(LastGoodSchema, {
    config: {
      version: config.version,
      resources: [...config.resources],
      commitTime: timestampFromMs(config.commitTimeMs),
    },
    endpoints: { sets: [...sets] },
    saveTime: timestampFromMs(nowMs),
  });
}
