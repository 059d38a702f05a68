import { availableParallelism } from 'node:os';

/** Process config of a node; a change needs a restart. */
export interface DataPlaneConfig {
  /** Unique in the cluster; kept by the operator where status should continue over restarts. */
  readonly nodeId: string;
  readonly cluster: string;
  readonly host: string;
  readonly httpPort: number;
  /** Null: TLS is not spoken with clients. */
  readonly tlsPort: number | null;
  /** Files of a certificate, PEM, for names that no certificate of the config has; '' for none. Both or neither. */
  readonly tlsCert: string;
  readonly tlsKey: string;
  /** Processes that serve requests; with 1 the node is one process. */
  readonly workers: number;
  readonly opsHost: string;
  readonly opsPort: number;
  readonly natsUrl: string;
  /** Where the last good snapshot is kept. */
  readonly stateDir: string;
  /** CIDRs and addresses whose X-Forwarded-* fields are believed. */
  readonly trustedIps: readonly string[];
  /** CIDRs and addresses whose connections begin with a PROXY header. */
  readonly proxyProtocolFrom: readonly string[];
  readonly latencyHeaders: boolean;
  /** After the signal to stop, how long the node still serves before it refuses, for load balancers to notice. */
  readonly drainGraceMs: number;
  /** How long requests in flight may take after that. */
  readonly drainDeadlineMs: number;
}

const maxWorkers = 256;

/** Flags and environment, however they are spelt outside; throws an Error that names a bad one. */
export interface ConfigSource {
  text(name: string, fallback: string): string;
  port(name: string, fallback: number): number;
  milliseconds(name: string, fallback: number): number;
  /** A whole number up to `max`. */
  count(name: string, fallback: number, max: number): number;
}

export function dataPlaneConfig(source: ConfigSource, hostName: string): DataPlaneConfig {
  const httpPort = source.port('httpPort', 8080);
  return {
    nodeId: source.text('nodeId', `${hostName}-${httpPort}`),
    cluster: source.text('cluster', 'default'),
    host: source.text('host', '0.0.0.0'),
    httpPort,
    tlsPort: source.text('tlsPort', '') === 'off' ? null : source.port('tlsPort', 8443),
    tlsCert: source.text('tlsCert', ''),
    tlsKey: source.text('tlsKey', ''),
    // 0: as many as there are cores.
    workers: source.count('workers', 1, maxWorkers) || availableParallelism(),
    opsHost: source.text('opsHost', '127.0.0.1'),
    opsPort: source.port('opsPort', 9902),
    natsUrl: source.text('natsUrl', 'nats://127.0.0.1:4222'),
    stateDir: source.text('stateDir', `.sluice/node-${httpPort}`),
    trustedIps: list(source.text('trustedIps', '')),
    proxyProtocolFrom: list(source.text('proxyProtocolFrom', '')),
    latencyHeaders: source.text('latencyHeaders', 'on') !== 'off',
    drainGraceMs: source.milliseconds('drainGraceMs', 0),
    drainDeadlineMs: source.milliseconds('drainDeadlineMs', 30_000),
  };
}

function list(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}
