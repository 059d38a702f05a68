/** Every time in this adapter. */
export interface Timing {
  /** How long Consul may hold a query when nothing changes; it adds up to a sixteenth. */
  readonly waitMs: number;
  /** For a read that does not block, and for the way to and from Consul of one that does. */
  readonly readTimeoutMs: number;
  readonly graceMs: number;
  readonly minBackoffMs: number;
  readonly maxBackoffMs: number;
  /** A stale answer older than this is not used. */
  readonly maxLastContactMs: number;
  /** How long reads stay with the leader after that. */
  readonly leaderReadsMs: number;
  /** How long a mass loss is held: checks and re-registrations have come round by then. 0 holds nothing. */
  readonly holdMs: number;
}

export const defaultTiming: Timing = {
  waitMs: 15_000,
  readTimeoutMs: 5_000,
  graceMs: 1_000,
  minBackoffMs: 200,
  maxBackoffMs: 10_000,
  maxLastContactMs: 5_000,
  leaderReadsMs: 60_000,
  holdMs: 30_000,
};
