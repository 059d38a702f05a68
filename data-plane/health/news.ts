export type ProbeStage = 'sent' | 'passed' | 'failed';

/** What the processes of a node tell each other of their probes. Plain data. */
export interface ProbeNews {
  readonly service: string;
  /** The endpoint's id. */
  readonly endpoint: string;
  readonly stage: ProbeStage;
}
