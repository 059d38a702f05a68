import type { Case } from '../harness/harness.js';
import { bodies, host, prefix } from './upstream.js';

const small: Case = {
  name: 'small',
  request: { method: 'GET', path: `${prefix}/small`, headers: { Host: host }, body: '' },
  connections: 64,
  load: 'full',
  rounds: 5,
  onRequest: false,
  without: [],
  isAnswer: (body) => body.equals(bodies.small),
};

const nodePeers = ['node:http+undici', '@fastify/http-proxy'];

const connectionPerRequest: Case = {
  ...small,
  name: 'connection-per-request',
  request: { ...small.request, headers: { Host: host, Connection: 'close' } },
  rounds: 3,
  // Fastify's passes the upstream's `Connection: keep-alive` on and then closes, which a client must take for an error.
  without: nodePeers,
};

export const cases: readonly Case[] = [
  small,
  get('64KiB', { without: ['node:http+undici'] }),
  get('1MiB', { without: ['node:http+undici'] }),
  connectionPerRequest,
  get('empty', { onRequest: true }),
  get('1KiB', { onRequest: true }),
  get('streamed-64KiB', { onRequest: true }),
  {
    ...small,
    name: 'post-64KiB',
    request: { ...small.request, method: 'POST', body: bodies['64KiB'].toString() },
    rounds: 3,
    onRequest: true,
  },
  { ...small, name: '1000-connections', connections: 1_000, rounds: 3, onRequest: true, without: nodePeers },
  { ...small, name: 'half-load', load: 'half', onRequest: true, without: nodePeers },
];

function get(name: keyof typeof bodies, deviations: Partial<Case>): Case {
  const request = { ...small.request, path: `${prefix}/${name}` };
  return { ...small, name, request, rounds: 3, isAnswer: (body) => body.equals(bodies[name]), ...deviations };
}
