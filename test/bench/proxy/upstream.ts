import { freePorts } from '../../../deploy/servers/servers.js';
import type { Upstream } from '../harness/contest.js';
import { startNginx } from '../peers/nginx.js';
import { startScript } from '../peers/node-script.js';
import { pidOf } from '../peers/running.js';

/** What the route of the requests matches. */
export const host = 'api.example.com';
export const prefix = '/svc-500/v1';

const text = (bytes: number): Buffer => Buffer.alloc(bytes, 'sluice ');

/** What the upstream answers, by the last segment of the path. */
export const bodies = {
  empty: Buffer.alloc(0),
  /** 57 bytes: the answer of most APIs' most frequent call. */
  small: Buffer.from('{"message":"hello from the upstream","n":12345,"ok":true}'),
  '1KiB': text(1_024),
  '64KiB': text(65_536),
  '1MiB': text(1_048_576),
  'streamed-64KiB': text(65_536),
};

/**
 * An nginx that answers at once, on two ports: two endpoints of one service. It knows its paths with the prefix of the
 * gateway's route and without it, so that a gateway may strip it or not. WebSockets are echoed by a server behind it.
 */
export async function startUpstream(): Promise<Upstream> {
  const ports = await freePorts(2);
  const echo = await startScript('websocket-echo');
  const server = await startNginx({
    name: 'bench-upstream',
    port: ports[0] ?? 0,
    http: configuration(ports, echo.port),
    files: bodies,
  });
  return {
    ports,
    pids: [server, echo].map(pidOf),
    stop: async () => {
      await server.stop();
      await echo.stop();
    },
  };
}

function configuration(ports: readonly number[], echoPort: number): string {
  return `
  default_type application/json;
  client_max_body_size 0;
  sendfile on;
  open_file_cache max=16;
  upstream self {
    server 127.0.0.1:${ports[0]};
    keepalive 256;
    keepalive_requests 1000000000;
  }
  server {
    ${ports.map((port) => `listen 127.0.0.1:${port} backlog=4096;`).join('\n    ')}
    ${['', prefix].flatMap(locations).join('\n    ')}
    ${['', prefix].map((path) => webSocket(path, echoPort)).join('\n    ')}
  }`;
}

/**
 * An answer that nginx might change with SSI has no length: it comes in chunks. What it proxies, here to itself and
 * without a body, it does when it has read the whole request; what it answers at once, it answers before.
 */
function locations(path: string): string[] {
  const withoutBody =
    'proxy_pass_request_body off; proxy_set_header Content-Length ""; proxy_set_header Connection "";';
  const answer = `proxy_pass http://self/small; proxy_http_version 1.1; ${withoutBody}`;
  return [
    `location = ${path}/empty { return 200 ''; }`,
    `location = ${path}/small { return 200 '${bodies.small.toString()}'; }`,
    ...['1KiB', '64KiB', '1MiB'].map((name) => `location = ${path}/${name} { try_files /${name} =404; }`),
    `location = ${path}/upload { client_body_buffer_size 2m; ${answer} }`,
    `location = ${path}/streamed-64KiB { ssi on; ssi_types *; try_files /streamed-64KiB =404; }`,
  ];
}

function webSocket(path: string, port: number): string {
  const fields = 'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;';
  return `location = ${path}/websocket { proxy_pass http://127.0.0.1:${port}; proxy_http_version 1.1; ${fields} }`;
}
