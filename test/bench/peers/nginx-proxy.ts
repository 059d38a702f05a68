import { freePort } from '../../../deploy/servers/servers.js';
import type { System } from '../harness/harness.js';
import { startNginx } from './nginx.js';
import { running } from './running.js';

/** nginx as a reverse proxy with weights and upstream keep-alive, and no more than that: it adds no header of its own. */
export const nginxProxy: System = {
  name: 'nginx',
  required: false,
  async start(upstreamPorts) {
    const port = await freePort();
    return running(await startNginx({ name: 'nginx-proxy', port, http: configuration(port, upstreamPorts) }));
  },
};

function configuration(port: number, upstreamPorts: readonly number[]): string {
  return `
  upstream service {
    ${upstreamPorts.map((each, i) => `server 127.0.0.1:${each} weight=${i === 0 ? 3 : 1};`).join('\n    ')}
    keepalive 256;
    keepalive_requests 1000000000;
  }
  # By default it writes large bodies to disk first.
  proxy_max_temp_file_size 0;
  proxy_request_buffering off;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://service;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
  }`;
}
