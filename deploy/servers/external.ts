import type { ServerName } from './binaries/binaries.js';
import type { RunningServer } from './process/process.js';

export type ExternalServer = {
  readonly name: ServerName;
  readonly url: string;
  readonly defaultPort: number;
  readonly probe: (url: string, timeoutMs: number) => Promise<string>;
};

const PROBE_TIMEOUT_MS = 5_000;

/** A handle on a server that somebody else runs: it can be used, and not be stopped, killed or paused by us. */
export async function useExternal({ name, url, defaultPort, probe }: ExternalServer): Promise<RunningServer> {
  const version = await probe(url, PROBE_TIMEOUT_MS);
  const refuse = (verb: string) => (): Promise<never> =>
    Promise.reject(new Error(`cannot ${verb} ${name}: it was given by URL, not started here`));
  return {
    name,
    url,
    port: Number(new URL(url).port || defaultPort),
    version,
    pid: undefined,
    stop: () => Promise.resolve(),
    kill: refuse('kill'),
    restart: refuse('restart'),
    pause: refuse('pause'),
    resume: refuse('resume'),
    log: () => '',
  };
}
