import { freePort, startHaproxy } from '../../../deploy/servers/servers.js';
import { weightOf, type System } from '../harness/harness.js';
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
      const tls = `127.0.0.1:${tlsPort} ssl crt ${files.pem} alpn http/1.1`;
      const config = (port: number): string => configuration([`127.0.0.1:${port}`, tls], upstreamPorts);
      return running(await startHaproxy({ config }), tlsPort);
    } finally {
      await files.remove();
    }
  },
};

/** The same with HTTP/2 on both sides. */
export const haproxyCalls: System = {
  name: 'haproxy',
  required: false,
  async start(upstreamPorts) {
    const config = (port: number): string =>
      configuration(
        [`127.0.0.1:${port} proto h2`],
        upstreamPorts.map((each) => `${each} proto h2`),
      );
    return running(await startHaproxy({ config }));
  },
};

function configuration(binds: readonly string[], servers: readonly (number | string)[]): string {
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
${binds.map((each) => `  bind ${each} backlog 4096`).join('\n')}
  default_backend service

backend service
  balance roundrobin
${servers.map((each, i) => `  server s${i} 127.0.0.1:${each} weight ${weightOf(i)}`).join('\n')}
`;
}
