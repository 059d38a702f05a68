/** What `npm run fuzz` runs. */
export type Fuzzer = (options: FuzzOptions) => Promise<FuzzResult>;

export interface FuzzOptions {
  readonly cases: number;
  readonly seed: number;
  /** Without it, servers that cannot be had are left out, by name in the log. */
  readonly requirePeers: boolean;
  /** Skips what costs most for each case in all but a third of the cases. */
  readonly brief: boolean;
  readonly log: (line: string) => void;
}

export interface FuzzResult {
  readonly summary: string;
  readonly findings: readonly string[];
}
