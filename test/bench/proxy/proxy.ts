import { runContest } from '../harness/contest.js';
import type { Bench, Case } from '../harness/harness.js';
import type { HttpRequest } from '../harness/request.js';
import { haproxy } from '../peers/haproxy.js';
import { nginxProxy } from '../peers/nginx-proxy.js';
import { nodeScript } from '../peers/node-script.js';
import { sluice } from '../sluice/sluice.js';
import { fileSizes, prefix, smallAnswer, startUpstream } from './upstream.js';

/** HTTP/1.1 in, HTTP/1.1 out, bodies passed on unread. */
export const proxyBench: Bench = (options) =>
  runContest(
    {
      reference: 'nginx',
      systems: [
        sluice(httpService),
        nginxProxy,
        haproxy,
        nodeScript('node:http+undici', 'node-http-undici'),
        nodeScript('@fastify/http-proxy', 'fastify-http-proxy'),
      ],
      cases: [small, ...Object.keys(fileSizes).map(file), connectionPerRequest],
      startUpstream,
    },
    options,
  );

const httpService = {
  protocol: 'http',
  schemas: [],
  route: { paths: [prefix], hosts: ['api.example.com'] },
} as const;

const get = (name: string): HttpRequest => ({
  method: 'GET',
  path: `${prefix}/${name}`,
  headers: { Host: 'api.example.com' },
  body: '',
});

const small: Case = {
  name: 'small',
  request: get('small'),
  connections: 64,
  rounds: 5,
  without: [],
  isAnswer: (body) => body.toString() === smallAnswer,
};

const connectionPerRequest: Case = {
  ...small,
  name: 'connection-per-request',
  request: { ...get('small'), headers: { Host: 'api.example.com', Connection: 'close' } },
  rounds: 3,
  // It passes the upstream's `Connection: keep-alive` on and then closes, which a client must take for an error.
  without: ['@fastify/http-proxy'],
};

function file(name: string): Case {
  return { ...small, name, request: get(name), rounds: 3, isAnswer: (body) => body.length === fileSizes[name] };
}
