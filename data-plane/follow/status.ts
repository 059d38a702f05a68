/** Sends a status now and then, and at once when there is something to tell. */
export class StatusReports {
  readonly #send: () => void;
  readonly #heartbeatMs: number;
  #heartbeat: NodeJS.Timeout | undefined;
  #soon: NodeJS.Timeout | undefined;

  constructor(send: () => void, heartbeatMs: number) {
    this.#send = send;
    this.#heartbeatMs = heartbeatMs;
  }

  /** Within `spreadMs`; several reasons make one report. */
  report(spreadMs: number): void {
    this.#soon ??= setTimeout(() => this.now(), Math.random() * spreadMs);
  }

  now(): void {
    this.stop();
    this.#send();
    // The fleet's heartbeats stay spread over time.
    this.#heartbeat = setTimeout(() => this.now(), this.#heartbeatMs * (0.8 + Math.random() * 0.4));
  }

  stop(): void {
    clearTimeout(this.#soon);
    clearTimeout(this.#heartbeat);
    this.#soon = undefined;
  }
}
