import { errorCode, Http2Error, type FloodKind } from './protocol.js';

/** What a peer may do that is of no use to it, before it is told to calm down: so many at once, and so many a second later on. */
export interface FloodLimits {
  readonly frameBurst: number;
  readonly framesPerSecond: number;
  readonly resetBurst: number;
  readonly resetsPerSecond: number;
}

/** Streams that ended well pay for frames around them: some stacks send a WINDOW_UPDATE and a PING for every message. */
const framesPerStream = 3;

/** So many a second, and what was not used of them up to a burst. */
class Bucket {
  readonly #burst: number;
  readonly #perMs: number;
  #left: number;
  #filledMs = 0;

  constructor(burst: number, perSecond: number) {
    this.#burst = burst;
    this.#perMs = perSecond / 1_000;
    this.#left = burst;
  }

  /** False when it is empty. Looks at the time only then. */
  take(amount: number, nowMs: number): boolean {
    this.#left -= amount;
    if (this.#left >= 0) return true;
    this.#left = Math.min(this.#left + (nowMs - this.#filledMs) * this.#perMs, this.#burst);
    this.#filledMs = nowMs;
    return this.#left >= 0;
  }

  give(amount: number): void {
    if (this.#left < this.#burst) this.#left += amount;
  }
}

/**
 * Notices a peer that keeps us busy for nothing, in two accounts. Frames that carry nothing: PING, SETTINGS, PRIORITY, empty
 * DATA and the like; work for the peer, and time, pay for them. Streams that come to nothing, because the peer resets them or
 * has us do so: only streams that end well, and time, pay for those, as each may have cost a service a request.
 */
export class FloodGuard {
  readonly #frames: Bucket;
  readonly #resets: Bucket;

  constructor({ frameBurst, framesPerSecond, resetBurst, resetsPerSecond }: FloodLimits) {
    this.#frames = new Bucket(frameBurst, framesPerSecond);
    this.#resets = new Bucket(resetBurst, resetsPerSecond);
  }

  /** A frame without use. Throws Http2Error (ENHANCE_YOUR_CALM) when there were too many. */
  frame(kind: FloodKind, nowMs: number, cost = 1): void {
    if (!this.#frames.take(cost, nowMs)) throw flood(kind);
  }

  /** A stream that comes to nothing by the peer's doing. Throws as `frame` does. */
  reset(kind: FloodKind, nowMs: number, cost = 1): void {
    if (!this.#resets.take(cost, nowMs)) throw flood(kind);
  }

  /** Frames' worth of work for the peer. */
  worked(frames: number): void {
    this.#frames.give(frames);
  }

  streamDone(): void {
    this.#frames.give(framesPerStream);
    this.#resets.give(1);
  }
}

/** The end of a connection whose peer does too much of `kind`. */
export function flood(kind: FloodKind): Http2Error {
  return new Http2Error('malformed', errorCode.enhanceYourCalm, `too much of ${kind}`, { flood: kind });
}
