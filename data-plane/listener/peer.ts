import type { Socket } from 'node:net';
import type { Peer } from '../exchange.js';

/** A client's address as a load balancer tells it. */
export interface PeerSource {
  readonly address: string;
  readonly port: number;
}

/** `source`, from a PROXY header, stands for the client behind the load balancer that the socket belongs to. */
export function peerOf(socket: Socket, source: PeerSource | null): Peer {
  const address = source?.address ?? socket.remoteAddress ?? '';
  return {
    address: address.startsWith('::ffff:') ? address.slice(7) : address,
    port: source?.port ?? socket.remotePort ?? 0,
    localPort: socket.localPort ?? 0,
    tlsServerName: 'servername' in socket ? (typeof socket.servername === 'string' ? socket.servername : '') : null,
  };
}
