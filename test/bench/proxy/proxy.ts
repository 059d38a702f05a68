import { runContest } from '../harness/contest.js';
import type { Bench } from '../harness/harness.js';
import { haproxy } from '../peers/haproxy.js';
import { nginxProxy } from '../peers/nginx-proxy.js';
import { nodeScript } from '../peers/node-script.js';
import { sluice } from '../sluice/sluice.js';
import { cases } from './cases.js';
import { host, prefix, startUpstream } from './upstream.js';

/** HTTP/1.1 in, HTTP/1.1 out, bodies passed on unread. */
export const proxyBench: Bench = (options) =>
  runContest(
    {
      reference: 'nginx',
      systems: [
        sluice({ protocol: 'http', schemas: [], route: { paths: [prefix], hosts: [host] } }),
        nginxProxy,
        haproxy,
        nodeScript('node:http+undici', 'node-http-undici'),
        nodeScript('@fastify/http-proxy', 'fastify-http-proxy'),
      ],
      cases,
      startUpstream,
    },
    options,
  );
