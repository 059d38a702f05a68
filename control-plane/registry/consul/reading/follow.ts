import { setTimeout as sleep } from 'node:timers/promises';

import { backoffMs, TokenBucket } from './pace.js';

import type { Read, Reply } from './client.js';
import type { Timing } from './timing.js';
import type { Position } from './position.js';

export interface Follower {
  readonly position: Position;
  ask(read: Read): Promise<Reply>;
  /** An answer; `doubt` as Position gives it. May throw: an answer that is refused counts as a failure. */
  answered(reply: Reply, doubt: string): void;
  /** No answer; the next attempt follows by itself. */
  failed(error: unknown): void;
}

/** Asks one blocking query again and again until `signal` aborts; no answer and no error ends it before. */
export async function follow(follower: Follower, timing: Timing, signal: AbortSignal): Promise<void> {
  const { position } = follower;
  const bucket = new TokenBucket();
  let failures = 0;
  while (!signal.aborted) {
    try {
      const delayMs = bucket.take(performance.now());
      if (delayMs > 0) await sleep(delayMs, undefined, { signal });
      const reply = await follower.ask({ ...position.next(performance.now()), signal });
      if (signal.aborted) return;
      if (!position.accepts(reply, performance.now())) continue;
      follower.answered(reply, position.doubt(reply));
      position.advance(reply);
      failures = 0;
    } catch (error) {
      if (signal.aborted) return;
      position.restart();
      follower.failed(error);
      await sleep(backoffMs(failures, timing, Math.random()), undefined, { signal }).catch(() => undefined);
      failures += 1;
    }
  }
}
