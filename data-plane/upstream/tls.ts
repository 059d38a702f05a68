import type { ConnectionOptions } from 'node:tls';

/** How to speak TLS with an endpoint. */
export interface UpstreamTls {
  /** Sent as SNI and checked against the certificate; '' checks against the address. */
  readonly serverName: string;
  /** PEM; '' trusts what the system trusts. */
  readonly caPem: string;
  readonly skipVerify: boolean;
  /** PEM of the gateway's own certificate and key, for endpoints that ask for one. */
  readonly certificatePem?: string;
  readonly keyPem?: string;
}

/** The same for node:tls, offering one protocol. */
export function tlsOptions(tls: UpstreamTls, protocol: 'http/1.1' | 'h2'): ConnectionOptions {
  return {
    ALPNProtocols: [protocol],
    rejectUnauthorized: !tls.skipVerify,
    ...(tls.serverName === '' ? {} : { servername: tls.serverName }),
    ...(tls.caPem === '' ? {} : { ca: tls.caPem }),
    ...(tls.certificatePem === undefined ? {} : { cert: tls.certificatePem }),
    ...(tls.keyPem === undefined ? {} : { key: tls.keyPem }),
  };
}
