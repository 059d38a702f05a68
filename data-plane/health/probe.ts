import { connect, type Socket } from 'node:net';
import { addAbortSignal } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { Client } from 'undici';
import type { Endpoint } from '../balancer/balancer.js';
import type { ActiveHealthSettings, ProbeSettings, ServiceSettings } from '../runtime/runtime.js';
import { tlsOptions } from '../upstream/upstream.js';
import { checkGrpc, type TransportFor } from './grpc-check.js';

/** Resolves when the endpoint is well, rejects with the reason when it is not, or when the signal ends it. Leaves nothing open. */
export type Probe = (
  service: ServiceSettings,
  endpoint: Endpoint,
  health: ActiveHealthSettings,
  signal: AbortSignal,
) => Promise<void>;

/**
 * Probes over connections of their own, since those of requests would hide what befalls new ones (a full accept queue, a
 * firewall). `transport` speaks gRPC.
 */
export function createProbe(transport: TransportFor): Probe {
  return (service, endpoint, { probe, timeoutMs }, signal) => {
    switch (probe.kind) {
      case 'http':
        return probeHttp(probe, service, endpoint, signal);
      case 'tcp':
        return probeTcp(service, endpoint, signal);
      case 'grpc':
        return checkGrpc(
          transport(service, endpoint),
          probe.service,
          service.host || endpoint.authority,
          timeoutMs,
          signal,
        );
    }
  };
}

async function probeTcp(service: ServiceSettings, endpoint: Endpoint, signal: AbortSignal): Promise<void> {
  const socket = await open(service, endpoint, signal);
  // Not at once: what the handshake still has to write would be lost, and the server would log a failure.
  socket.destroySoon();
}

type HttpProbe = Extract<ProbeSettings, { kind: 'http' }>;

async function probeHttp(
  { path, host, statuses }: HttpProbe,
  service: ServiceSettings,
  endpoint: Endpoint,
  signal: AbortSignal,
): Promise<void> {
  const client = new Client(`${service.tls === null ? 'http' : 'https'}://${endpoint.authority}`, {
    connect: (_, callback) => {
      open(service, endpoint, signal).then(
        (socket) => callback(null, socket),
        (error: Error) => callback(error, null),
      );
    },
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  try {
    const headers = { host: host || service.host || endpoint.authority, 'user-agent': 'sluice', accept: '*/*' };
    const { statusCode, body } = await client.request({ method: 'GET', path, headers, signal, reset: true });
    // The status is all that counts; the body ends with the connection.
    body.on('error', () => undefined);
    if (!isExpected(statusCode, statuses)) throw new Error(`answered ${statusCode}`);
  } finally {
    await client.destroy();
  }
}

function isExpected(status: number, statuses: readonly number[]): boolean {
  return statuses.length === 0 ? status >= 200 && status < 300 : statuses.includes(status);
}

/** A connection that is ready to be spoken on, and ends with the signal. */
function open({ protocol, tls }: ServiceSettings, { address, port }: Endpoint, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const alpn = protocol === 'grpcs' ? 'h2' : 'http/1.1';
    const target = { host: address, port };
    const socket = tls === null ? connect(target) : connectTls({ ...target, ...tlsOptions(tls, alpn) });
    addAbortSignal(signal, socket);
    socket.setNoDelay();
    socket.once(tls === null ? 'connect' : 'secureConnect', () => resolve(socket)).once('error', reject);
  });
}
