import { freePort } from '../../../deploy/servers/servers.js';
import { weightOf, type System } from '../harness/harness.js';
import { startNginx } from './nginx.js';
import { running } from './running.js';

/** nginx with `grpc_pass`, weights and kept connections; it tries again where a kept connection turns out to be gone. */
export const nginxCalls: System = {
  name: 'nginx',
  required: false,
  async start(upstreamPorts) {
    const port = await freePort();
    return running(await startNginx({ name: 'nginx-calls', port, http: configuration(port, upstreamPorts) }));
  },
};

function configuration(port: number, upstreamPorts: readonly number[]): string {
  return `
  upstream service {
    ${upstreamPorts.map((each, i) => `server 127.0.0.1:${each} weight=${weightOf(i)} max_fails=0;`).join('\n    ')}
    keepalive 256;
    keepalive_requests 1000000000;
  }
  http2_max_concurrent_streams 1000;
  client_max_body_size 0;
  server {
    listen 127.0.0.1:${port} http2 backlog=4096;
    location / {
      grpc_pass grpc://service;
      grpc_next_upstream error timeout non_idempotent;
    }
  }`;
}
