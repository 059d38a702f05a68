import { freePort, startHaproxy } from '../../../deploy/servers/servers.js';
import type { System } from '../harness/harness.js';
import { certificateFiles } from './certificate.js';
import { running } from './running.js';

/** HAProxy with one thread, weights and upstream keep-alive. */
export const haproxy: System = {
  name: 'haproxy',
  required: false,
  async start(upstreamPorts) {
    const tlsPort = await freePort();
    const files = await certificateFiles();
    try {
      const config = (port: number): string => configuration(port, tlsPort, files.pem, upstreamPorts);
      return running(await startHaproxy({ config }), tlsPort);
    } finally {
      await files.remove();
    }
  },
};

function configuration(port: number, tlsPort: number, pem: string, upstreamPorts: readonly number[]): string {
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
  bind 127.0.0.1:${tlsPort} ssl crt ${pem} alpn http/1.1 backlog 4096
  default_backend service

backend service
  balance roundrobin
${upstreamPorts.map((each, i) => `  server s${i} 127.0.0.1:${each} weight ${i === 0 ? 3 : 1}`).join('\n')}
`;
}
