import type { Transport } from '../upstream/transport.js';

/** An endpoint as the snapshot names it; those that take no requests are left out before. */
export interface EndpointAddress {
  readonly id: string;
  readonly address: string;
  readonly port: number;
  readonly weight: number;
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
  /** Smooth weighted round robin: grows by the weight with each pick, falls by the total when picked. */
  running = 0;
  requestsInFlight = 0;
  readonly health: EndpointHealth = { connectFailures: 0, serverErrors: 0, ejections: 0, ejectedUntilMs: 0 };

  constructor({ id, address, port, weight }: EndpointAddress, authority: string, transport: Transport) {
    this.id = id;
    this.address = address;
    this.port = port;
    this.authority = authority;
    this.weight = weight;
    this.transport = transport;
  }
}

/** What traffic has shown of an endpoint. */
export interface EndpointHealth {
  /** In a row. */
  connectFailures: number;
  /** In a row. */
  serverErrors: number;
  /** In a row, for the growing length; an answer after the end of an ejection clears it. */
  ejections: number;
  ejectedUntilMs: number;
}
