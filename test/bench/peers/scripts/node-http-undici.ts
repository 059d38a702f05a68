import { createServer } from 'node:http';
import { Pool } from 'undici';

/** A peer run by node-script.ts: the fastest proxy that Node's server and undici make, with no stream between the two. */
const [port, ...upstreamPorts] = process.argv.slice(2).map(Number);
const pools = upstreamPorts.map((each) => new Pool(`http://127.0.0.1:${each}`, { connections: 128, pipelining: 1 }));
let turn = 0;

const hopByHop = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
  'te',
  'trailer',
  'proxy-connection',
]);

const server = createServer((request, response) => {
  const pool = pools[turn++ % pools.length];
  if (pool === undefined) throw new Error('no upstream');
  const { method = 'GET', url = '/', rawHeaders } = request;
  const withBody =
    request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined;
  const sent = { path: url, method, headers: endToEnd(rawHeaders), body: withBody ? request : null };
  pool.dispatch(sent, {
    onConnect(abort) {
      response.on('close', () => {
        if (!response.writableFinished) abort();
      });
    },
    onHeaders(status, headers, resume) {
      response.writeHead(status, endToEnd(headers.map((each) => each.toString('latin1'))));
      response.on('drain', resume);
      return true;
    },
    onData: (chunk) => response.write(chunk),
    onComplete: () => void response.end(),
    onError: (error) => void response.destroy(error),
  });
});
server.listen({ host: '127.0.0.1', port, backlog: 4096 });

function endToEnd(fields: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const [name = '', value = ''] = [fields[i], fields[i + 1]];
    if (!hopByHop.has(name.toLowerCase())) kept.push(name, value);
  }
  return kept;
}
