import type { Transport } from '../upstream/transport.js';

/** An endpoint as the snapshot names it; those that take no requests are left out before. */
export interface EndpointAddress {
  readonly id: string;
  readonly address: string;
  readonly port: number;
  readonly weight: number;
  /** The registry doubts it: it takes requests, and probes look at it first. */
  readonly suspect: boolean;
}

/**
 * One address of a service, as long as the registry names it. Everything that must outlive a rebuild of the picker lives here:
 * the running value of the round robin, the health counters and the transport with its connections.
 */
export class Endpoint {
  readonly id: string;
  readonly address: string;
  readonly port: number;
  /** As it stands in a Host field. */
  readonly authority: string;
  readonly transport: Transport;
  /** Share of the requests; 0 takes none. */
  weight: number;
  suspect: boolean;
  /** Smooth weighted round robin: grows by the weight with each pick, falls by the total when picked. */
  running = 0;
  requestsInFlight = 0;
  readonly health: EndpointHealth = {
    successes: 0,
    connectFailures: 0,
    serverErrors: 0,
    ejections: 0,
    ejectedUntilMs: 0,
    probes: { passes: 0, failures: 0, dueMs: Infinity, successesSeen: 0, inFlight: false },
  };

  constructor({ id, address, port, weight, suspect }: EndpointAddress, authority: string, transport: Transport) {
    this.id = id;
    this.address = address;
    this.port = port;
    this.authority = authority;
    this.weight = weight;
    this.suspect = suspect;
    this.transport = transport;
  }
}

/** What traffic and probes have shown of an endpoint. */
export interface EndpointHealth {
  /** Goes round at 2³¹; only whether it has changed means something. */
  successes: number;
  /** In a row. */
  connectFailures: number;
  /** In a row. */
  serverErrors: number;
  /** In a row, for the growing length; an answer after the end of an ejection clears it. */
  ejections: number;
  /** Infinity: until probes pass. */
  ejectedUntilMs: number;
  readonly probes: ProbeRecord;
}

/** The probes of an endpoint, as the prober keeps them. */
export interface ProbeRecord {
  /** In a row. */
  passes: number;
  /** In a row. */
  failures: number;
  /** When the next one goes out; Infinity when none is planned. */
  dueMs: number;
  /** `successes` at the time when the next one was planned. */
  successesSeen: number;
  inFlight: boolean;
}
