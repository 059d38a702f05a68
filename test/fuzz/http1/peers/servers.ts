import { freePorts, startHaproxy, type RunningServer } from '../../../../deploy/servers/servers.js';
import { startNginx } from '../../../bench/peers/nginx.js';

export type PeerName = 'nginx' | 'haproxy';

/** What a peer stands in front of, by the port it listens on: a service that records requests, one more of them, and one that plays answers. */
export interface PeerPorts {
  readonly recorder: number;
  readonly rawRecorder: number;
  readonly player: number;
}

const roles = ['recorder', 'rawRecorder', 'player'] as const;

/** Starts a peer in front of services at these ports. */
export async function startPeer(
  name: PeerName,
  services: PeerPorts,
): Promise<{ readonly server: RunningServer; readonly ports: PeerPorts }> {
  const [recorder, rawRecorder, player] = (await freePorts(3)) as [number, number, number];
  const ports = { recorder, rawRecorder, player };
  const server =
    name === 'nginx'
      ? await startNginx({ name: 'fuzz-nginx', port: recorder, http: nginxHttp(ports, services) })
      : await startHaproxy({ port: recorder, config: () => haproxyConfig(ports, services) });
  return { server, ports };
}

/** nginx as near to passing on all it takes as it can be told to. */
function nginxHttp(ports: PeerPorts, services: PeerPorts): string {
  return `
  ${roles.map((role) => `upstream ${role} { server 127.0.0.1:${services[role]} max_fails=0; keepalive 4; keepalive_requests 1000000000; }`).join('\n  ')}
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
  ${roles.map((role) => `server { listen 127.0.0.1:${ports[role]}; location / { proxy_pass http://${role}; } }`).join('\n  ')}`;
}

/**
 * The option is for HTTP/1.0 requests with content, which HAProxy otherwise takes only of some methods. The buffer holds a whole
 * batch: a head that lies across the end of a full one is refused.
 */
function haproxyConfig(ports: PeerPorts, services: PeerPorts): string {
  return `global
  nbthread 1
  h1-accept-payload-with-any-method
  tune.bufsize 1048576

defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
  http-reuse always

${roles.map((role) => haproxyRole(role, ports[role], services[role])).join('\n')}`;
}

function haproxyRole(role: string, port: number, service: number): string {
  return `frontend ${role}
  bind 127.0.0.1:${port}
  default_backend ${role}

backend ${role}
  server one 127.0.0.1:${service}
`;
}
