import type { Case, Running } from './harness.js';

/** A system that takes part and runs. */
export interface Entrant {
  readonly name: string;
  readonly isGateway: boolean;
  readonly running: Running;
}

export function canTakePart({ without, tls }: Case, { name, running }: Entrant): boolean {
  return !without.includes(name) && (!tls || running.tlsPort !== null);
}

/** The port that the clients of a case come to. */
export function portFor({ tls }: Case, { port, tlsPort }: Running): number {
  return tls ? (tlsPort ?? port) : port;
}
