import type { Case } from '../harness/harness.js';
import type { HttpRequest, SlowClients } from '../load/load.js';
import { bodies, host, prefix } from './upstream.js';

const nodePeers = ['node:http+undici', '@fastify/http-proxy'];

const small: Case = {
  name: 'small',
  request: { method: 'GET', path: `${prefix}/small`, headers: { Host: host }, body: '', chunked: false },
  connections: 64,
  tls: false,
  load: 'full',
  rounds: 5,
  onRequest: false,
  without: [],
  isAnswer: (body) => body.equals(bodies.small),
};

const closing: HttpRequest = { ...small.request, headers: { Host: host, Connection: 'close' } };

/** A case like `small`, but among those that are not the headline: fewer rounds, and without the slow peers. */
function other(name: string, deviations: Partial<Case>): Case {
  return { ...small, name, rounds: 3, without: nodePeers, ...deviations };
}

function get(name: keyof typeof bodies, deviations: Partial<Case> = {}): Case {
  const request = { ...small.request, path: `${prefix}/${name}` };
  return other(name, { request, isAnswer: (body) => body.equals(bodies[name]), ...deviations });
}

function post(name: string, body: keyof typeof bodies, deviations: Partial<Case> = {}, chunked = false): Case {
  const path = `${prefix}/upload`;
  const request: HttpRequest = { ...small.request, method: 'POST', path, body: bodies[body].toString(), chunked };
  return other(name, { request, ...deviations });
}

const handshake: HttpRequest = {
  ...small.request,
  path: `${prefix}/websocket`,
  headers: {
    Host: host,
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
  },
};

/** The upstream answers before it has read the body. */
const early: HttpRequest = { ...small.request, method: 'POST', body: bodies['64KiB'].toString() };

const onRequest = { onRequest: true };

/** Slow clients come in a half of the time, and stay in the other. */
function slow(name: SlowClients['slow'], path: string, connections: number): Case {
  const request = { path: `${prefix}/${path}`, headers: small.request.headers };
  const slowClients = { slow: name, request, connections, rate: connections / 4 };
  return other(`slow-${name}`, { load: 'slow', slowClients, connections, times: 8, ...onRequest });
}

export const cases: readonly Case[] = [
  // First, when the memory of each is that of a young process, and no earlier case has left any to use again.
  other('idle-10000', { load: 'idle', connections: 10_000, without: [...nodePeers, 'haproxy'] }),
  small,
  other('half-load', { load: 'half', rounds: 5 }),
  get('64KiB', { without: ['node:http+undici'] }),
  get('1MiB', { without: ['node:http+undici'] }),
  post('post-64KiB', '64KiB'),
  other('tls', { tls: true, times: 5 }),
  // Fastify's passes the upstream's `Connection: keep-alive` on and then closes, which a client must take for an error.
  other('connection-per-request', { request: closing }),
  other('websocket', { load: 'websocket', request: handshake }),
  get('empty', onRequest),
  get('1KiB', onRequest),
  get('streamed-64KiB', onRequest),
  post('post-1KiB', '1KiB', onRequest),
  post('post-1MiB', '1MiB', onRequest),
  post('post-streamed-64KiB', '64KiB', onRequest, true),
  other('post-early-64KiB', { request: early, ...onRequest }),
  { ...get('64KiB'), name: 'tls-64KiB', tls: true, times: 5, ...onRequest },
  { ...get('1MiB'), name: 'tls-1MiB', tls: true, times: 5, ...onRequest },
  other('tls-connection-per-request', { request: closing, tls: true, ...onRequest }),
  other('1000-connections', { connections: 1_000, ...onRequest }),
  slow('heads', 'small', 1_000),
  slow('bodies', 'upload', 1_000),
  slow('readers', '1MiB', 200),
];
