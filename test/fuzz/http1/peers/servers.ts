import { freePort, startHaproxy, type RunningServer } from '../../../../deploy/servers/servers.js';
import { startNginx } from '../../../bench/peers/nginx.js';

export type PeerName = 'nginx' | 'haproxy';

/** Ports of the peer: in front of the service that records requests, and of the one that plays answers. */
export interface PeerPorts {
  readonly recorder: number;
  readonly player: number;
}

/** Starts a peer in front of services at two ports. */
export async function startPeer(name: PeerName, services: PeerPorts): Promise<{ readonly server: RunningServer; readonly ports: PeerPorts }> {
  const second = await freePort();
  if (name === 'nginx') {
    const first = await freePort();
    const server = await startNginx({ name: 'fuzz-nginx', port: first, http: nginxHttp({ recorder: first, player: second }, services) });
    return { server, ports: { recorder: first, player: second } };
  }
  const server = await startHaproxy({ config: (first) => haproxyConfig({ recorder: first, player: second }, services) });
  return { server, ports: { recorder: server.port, player: second } };
}

/** nginx as near to passing on all it takes as it can be told to. */
function nginxHttp(ports: PeerPorts, services: PeerPorts): string {
  return `
  upstream recorder { server 127.0.0.1:${services.recorder} max_fails=0; keepalive 4; keepalive_requests 1000000000; }
  upstream player { server 127.0.0.1:${services.player} max_fails=0; keepalive 4; keepalive_requests 1000000000; }
  underscores_in_headers on;
  ignore_invalid_headers off;
  large_client_header_buffers 4 32k;
  proxy_ignore_client_abort on;
  proxy_max_temp_file_size 0;
  proxy_http_version 1.1;
  proxy_redirect off;
  proxy_set_header Host $http_host;
  proxy_set_header Connection "";
  proxy_pass_header Date;
  proxy_pass_header Server;
  proxy_pass_header X-Accel-Redirect;
  server {
    listen 127.0.0.1:${ports.recorder};
    location / { proxy_pass http://recorder; }
  }
  server {
    listen 127.0.0.1:${ports.player};
    location / { proxy_pass http://player; }
  }`;
}

/** The option is for HTTP/1.0 requests with content, which HAProxy otherwise takes only of some methods. */
function haproxyConfig(ports: PeerPorts, services: PeerPorts): string {
  return `global
  nbthread 1
  h1-accept-payload-with-any-method

defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
  http-reuse always

frontend recorder
  bind 127.0.0.1:${ports.recorder}
  default_backend recorder

backend recorder
  server one 127.0.0.1:${services.recorder}

frontend player
  bind 127.0.0.1:${ports.player}
  default_backend player

backend player
  server one 127.0.0.1:${services.player}
`;
}
