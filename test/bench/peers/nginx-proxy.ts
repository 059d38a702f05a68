import { freePorts } from '../../../deploy/servers/servers.js';
import { weightOf, type System } from '../harness/harness.js';
import { certificate } from './certificate.js';
import { startNginx } from './nginx.js';
import { running } from './running.js';

/** nginx as a reverse proxy with weights and upstream keep-alive, and no more than that: it adds no header of its own. */
export const nginxProxy: System = {
  name: 'nginx',
  required: false,
  async start(upstreamPorts) {
    const [port = 0, tlsPort = 0] = await freePorts(2);
    const server = await startNginx({
      name: 'nginx-proxy',
      port,
      http: configuration(port, tlsPort, upstreamPorts),
      files: { 'cert.pem': certificate.cert, 'key.pem': certificate.key },
    });
    return running(server, tlsPort);
  },
};

function configuration(port: number, tlsPort: number, upstreamPorts: readonly number[]): string {
  return `
  upstream service {
    ${upstreamPorts.map((each, i) => `server 127.0.0.1:${each} weight=${weightOf(i)};`).join('\n    ')}
    keepalive 256;
    keepalive_requests 1000000000;
  }
  # By default it writes large bodies to disk first.
  proxy_max_temp_file_size 0;
  proxy_request_buffering off;
  client_max_body_size 0;
  map $http_upgrade $connection_field {
    '' '';
    default upgrade;
  }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    listen 127.0.0.1:${tlsPort} ssl backlog=4096;
    ssl_certificate cert.pem;
    ssl_certificate_key key.pem;
    ssl_protocols TLSv1.2 TLSv1.3;
    location / {
      proxy_pass http://service;
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_field;
    }
  }`;
}
