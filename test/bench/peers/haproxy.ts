import { startHaproxy } from '../../../deploy/servers/servers.js';
import type { System } from '../harness/harness.js';
import { running } from './running.js';

/** HAProxy with one thread, weights and upstream keep-alive. */
export const haproxy: System = {
  name: 'haproxy',
  required: false,
  async start(upstreamPorts) {
    return running(await startHaproxy({ config: (port) => configuration(port, upstreamPorts) }));
  },
};

function configuration(port: number, upstreamPorts: readonly number[]): string {
  return `global
  nbthread 1
  maxconn 4096

defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always

frontend traffic
  bind 127.0.0.1:${port} backlog 4096
  default_backend service

backend service
  balance roundrobin
${upstreamPorts.map((each, i) => `  server s${i} 127.0.0.1:${each} weight ${i === 0 ? 3 : 1}`).join('\n')}
`;
}
