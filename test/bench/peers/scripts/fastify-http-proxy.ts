import proxy from '@fastify/http-proxy';
import { fastify } from 'fastify';

/** A peer run by node-script.ts: `@fastify/http-proxy` as its readme shows it, in front of one upstream (it balances nothing). */
const [port, upstreamPort] = process.argv.slice(2).map(Number);
const app = fastify();
await app.register(proxy, {
  upstream: `http://127.0.0.1:${upstreamPort}`,
  undici: { connections: 128, pipelining: 1 },
});
await app.listen({ host: '127.0.0.1', port: port ?? 0, backlog: 4096 });
