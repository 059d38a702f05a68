import { LocalServing } from '../serving.js';
import { Duties } from './duties.js';
import type { FromWorker, ToWorker } from './messages.js';

/**
 * The program of a worker; `fork.ts` starts it. It ends itself when the primary process is gone: node:cluster sees to that when
 * the connection ends.
 */
const send = (message: FromWorker): void => {
  if (process.connected) process.send?.(message);
};
const duties = new Duties((config, parts) => new LocalServing(config, parts), send);
process.on('message', (message: ToWorker) => duties.hear(message));
// A signal to the whole group, as Ctrl-C is, is the primary's to act on: it lets the workers finish first.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
send({ kind: 'up' });
