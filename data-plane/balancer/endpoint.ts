import type { Transport } from '../upstream/transport.js';

/**
 * One address of a service, as long as the registry names it. Everything that must outlive a rebuild of the picker lives here:
 * the running value of the round robin, the health counters and the transport with its connections.
 */
export class Endpoint {
  readonly id: string;
  readonly address: string;
  readonly port: number;
  readonly transport: Transport;
  /** Share of the requests; 0 takes none. */
  weight: number;
  /** Smooth weighted round robin: grows by the weight with each pick, falls by the total when picked. */
  running = 0;
  requestsInFlight = 0;
  readonly health: EndpointHealth = { connectFailures: 0, serverErrors: 0, ejections: 0, ejectedUntilMs: 0 };

  constructor(id: string, address: string, port: number, weight: number, transport: Transport) {
    this.id = id;
    this.address = address;
    this.port = port;
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

/** `host:port` as it stands in a Host field or a log line. */
export function endpointAuthority(endpoint: Pick<Endpoint, 'address' | 'port'>): string {
  return endpoint.address.includes(':') ? `[${endpoint.address}]:${endpoint.port}` : `${endpoint.address}:${endpoint.port}`;
}
