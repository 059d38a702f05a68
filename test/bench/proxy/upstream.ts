import { freePorts } from '../../../deploy/servers/servers.js';
import type { Upstream } from '../harness/contest.js';
import { startNginx } from '../peers/nginx.js';
import { pidOf } from '../peers/running.js';

/** The answer of most APIs' most frequent call. */
export const smallAnswer = '{"message":"hello from the upstream","n":12345,"ok":true}';
export const fileSizes: Readonly<Record<string, number>> = { '64KiB': 65_536, '1MiB': 1_048_576 };

/**
 * An nginx that answers at once, on two ports: two endpoints of one service. It finds `/small` and the files below any
 * prefix, so that a gateway may strip the prefix of its route or not.
 */
export async function startUpstream(): Promise<Upstream> {
  const ports = await freePorts(2);
  const files = Object.fromEntries(
    Object.entries(fileSizes).map(([name, bytes]) => [name, Buffer.alloc(bytes, 'sluice ')]),
  );
  const server = await startNginx({ name: 'bench-upstream', port: ports[0] ?? 0, http: configuration(ports), files });
  return { ports, pid: pidOf(server), stop: () => server.stop() };
}

function configuration(ports: readonly number[]): string {
  const locations = ['', prefix].flatMap((path) => [
    `location = ${path}/small { return 200 '${smallAnswer}'; }`,
    ...Object.keys(fileSizes).map((name) => `location = ${path}/${name} { try_files /${name} =404; }`),
  ]);
  return `
  default_type application/json;
  sendfile on;
  open_file_cache max=16;
  server {
    ${ports.map((port) => `listen 127.0.0.1:${port} backlog=4096;`).join('\n    ')}
    ${locations.join('\n    ')}
  }`;
}

/** The path prefix of the route that the requests match. */
export const prefix = '/svc-500/v1';
