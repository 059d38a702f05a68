/** Process config of a control plane; a change needs a restart. */
export interface ControlPlaneConfig {
  readonly replicaId: string;
  readonly cluster: string;
  readonly adminHost: string;
  readonly adminPort: number;
  readonly opsHost: string;
  readonly opsPort: number;
  readonly databaseUrl: string;
  readonly natsUrl: string;
  readonly consul: ConsulConfig;
}

export interface ConsulConfig {
  /** `http://host:port` or `https://host:port`. */
  readonly address: string;
  readonly token: string;
  readonly caFile: string;
}

/** Flags and environment, however they are spelt outside; throws an Error that names a bad one. */
export interface ConfigSource {
  text(name: string, fallback: string): string;
  port(name: string, fallback: number): number;
}

export function controlPlaneConfig(source: ConfigSource, hostName: string): ControlPlaneConfig {
  const adminPort = source.port('adminPort', 9900);
  return {
    replicaId: source.text('replicaId', `${hostName}-${adminPort}`),
    cluster: source.text('cluster', 'default'),
    adminHost: source.text('adminHost', '127.0.0.1'),
    adminPort,
    opsHost: source.text('controlOpsHost', '127.0.0.1'),
    opsPort: source.port('controlOpsPort', 9901),
    databaseUrl: source.text('databaseUrl', ''),
    natsUrl: source.text('natsUrl', 'nats://127.0.0.1:4222'),
    consul: {
      address: source.text('consulAddress', 'http://127.0.0.1:8500'),
      token: source.text('consulToken', ''),
      caFile: source.text('consulCaFile', ''),
    },
  };
}
