/** Names that other tools have settled; everything else is SLUICE_ and the flag's name. */
const settledVariables: Readonly<Record<string, string>> = {
  databaseUrl: 'DATABASE_URL',
  natsUrl: 'NATS_URL',
  consulAddress: 'CONSUL_HTTP_ADDR',
  consulToken: 'CONSUL_HTTP_TOKEN',
  consulCaFile: 'CONSUL_CACERT',
};

export type Flags = Readonly<Record<string, string | boolean | undefined>>;

/** A flag or variable that cannot be used; the command line shows the message and ends with exit code 2. */
export class ConfigError extends Error {}

/**
 * Process config from flags, else environment, else the default. A flag `--http-port` arrives as `httpPort`; its variable is
 * SLUICE_HTTP_PORT.
 */
export class ConfigReader {
  readonly #flags: Flags;
  readonly #env: NodeJS.ProcessEnv;

  constructor(flags: Flags, env: NodeJS.ProcessEnv) {
    this.#flags = flags;
    this.#env = env;
  }

  text(name: string, fallback: string): string {
    const flag = this.#flags[name];
    return typeof flag === 'string' ? flag : (this.#env[variableName(name)] ?? fallback);
  }

  port(name: string, fallback: number): number {
    const text = this.text(name, String(fallback));
    if (isPort(text)) return Number(text);
    throw new ConfigError(`${flagName(name)} (${variableName(name)}) must be a port from 0 to 65535, not "${text}"`);
  }

  /** Comma-separated. */
  ports(name: string, fallback: readonly number[]): number[] {
    const parts = this.text(name, fallback.join(',')).split(',');
    if (parts.every((part) => isPort(part))) return parts.map(Number);
    throw new ConfigError(
      `${flagName(name)} (${variableName(name)}) must be a list of ports, not "${parts.join(',')}"`,
    );
  }

  count(name: string, fallback: number, max: number): number {
    const text = this.text(name, String(fallback));
    if (/^\d{1,9}$/.test(text) && Number(text) <= max) return Number(text);
    throw new ConfigError(
      `${flagName(name)} (${variableName(name)}) must be a whole number from 0 to ${max}, not "${text}"`,
    );
  }

  milliseconds(name: string, fallback: number): number {
    const text = this.text(name, String(fallback));
    if (/^\d{1,9}$/.test(text)) return Number(text);
    throw new ConfigError(
      `${flagName(name)} (${variableName(name)}) must be a whole number of milliseconds, not "${text}"`,
    );
  }
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) <= 65_535;
}

function variableName(name: string): string {
  return settledVariables[name] ?? `SLUICE_${spell(name, '_').toUpperCase()}`;
}

function flagName(name: string): string {
  return `--${spell(name, '-')}`;
}

function spell(name: string, separator: string): string {
  return name.replace(/[A-Z]/g, (letter) => separator + letter.toLowerCase());
}
