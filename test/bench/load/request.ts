import { request as httpRequest } from 'node:http';

/** A request that is sent again and again. */
export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Empty means none. */
  readonly body: string;
}

/** Sends the request once on a connection of its own; rejects unless the status is 2xx. */
export function sendOnce(port: number, { method, path, headers, body }: HttpRequest): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, method, path, headers, agent: false, timeout: 5_000 } as const;
    const sent = httpRequest(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const answer = Buffer.concat(chunks);
        const status = response.statusCode ?? 0;
        if (status >= 200 && status < 300) resolve(answer);
        else reject(new Error(`answers ${status} to ${method} ${path}: ${answer.toString('utf8').slice(0, 200)}`));
      });
    });
    sent.on('timeout', () => sent.destroy(new Error(`does not answer ${method} ${path}`)));
    sent.on('error', reject);
    sent.end(body);
  });
}
