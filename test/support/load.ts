import { Agent, request, type IncomingHttpHeaders } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A client over node:http whose connections are its own; `close` ends them. */
export class TestClient {
  readonly #agent: Agent;

  constructor(maxSockets = 64) {
    this.#agent = new Agent({ keepAlive: true, maxSockets });
  }

  send(
    url: string,
    options: {
      readonly method?: string;
      readonly headers?: Record<string, string>;
      readonly body?: string | Uint8Array;
    } = {},
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const { method = 'GET', headers = {}, body } = options;
      // The path goes out as it is written; a URL object would resolve its dot segments.
      const [, host, port, path] = /^http:\/\/([^:/]+):(\d+)(\/.*)?$/.exec(url) ?? [];
      const target = { host, port, path: path ?? '/' };
      const sent = request({ ...target, agent: this.#agent, method, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString('utf8'),
          }),
        );
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

export interface LoadResult {
  readonly answers: number;
  /** Everything that was not a 2xx, told apart. */
  readonly failures: ReadonlyMap<string, number>;
  /** By the `x-instance` field of the answer. */
  readonly instances: ReadonlyMap<string, number>;
}

/** Sends GETs to the URLs in turn, `parallel` at a time, until `stop` is called; resolves with what came back. */
export function startLoad(urls: readonly string[], parallel: number): { stop(): Promise<LoadResult> } {
  const client = new TestClient(parallel);
  const failures = new Map<string, number>();
  const instances = new Map<string, number>();
  let answers = 0;
  let next = 0;
  let running = true;
  const count = (map: Map<string, number>, key: string): void => void map.set(key, (map.get(key) ?? 0) + 1);
  const worker = async (): Promise<void> => {
    while (running) {
      const url = urls[next++ % urls.length] ?? '';
      try {
        const { status, headers } = await client.send(url);
        answers++;
        if (status >= 200 && status < 300) count(instances, String(headers['x-instance']));
        else count(failures, `${status} ${String(headers['x-sluice-error'] ?? '')}`);
      } catch (error) {
        count(failures, String(error));
      }
    }
  };
  const workers = Array.from({ length: parallel }, worker);
  return {
    stop: async () => {
      running = false;
      await Promise.all(workers);
      client.close();
      return { answers, failures, instances };
    },
  };
}

/** Calls `check` until it gives true; throws with `what` when it does not within `timeoutMs`. */
export async function eventually(
  what: string,
  timeoutMs: number,
  check: () => Promise<boolean> | boolean,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await check())) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
