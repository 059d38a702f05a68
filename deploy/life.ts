import type { Log } from './log.js';

/** One step of a stop: what to end, and how long it may take. */
export interface StopStep {
  readonly name: string;
  readonly deadlineMs: number;
  stop(): Promise<void>;
}

/** Ends the steps in order; one that overruns its deadline or fails is logged by name and passed over. */
export async function stopInOrder(steps: readonly StopStep[], log: Log): Promise<void> {
  for (const { name, deadlineMs, stop } of steps) {
    const overdue = Symbol('overdue');
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<symbol>((resolve) => (timer = setTimeout(() => resolve(overdue), deadlineMs)));
    try {
      if ((await Promise.race([stop(), deadline])) === overdue)
        log.warn('step of the stop is overdue', { step: name, deadlineMs });
    } catch (error) {
      log.error('step of the stop failed', { step: name, error: String(error) });
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Resolves with the first SIGINT or SIGTERM; a second one ends the process at once. */
export function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        process.once(signal, () => process.exit(1));
        resolve(signal);
      });
    }
  });
}
