import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';

/** A request that is sent again and again. */
export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Empty means none. */
  readonly body: string;
  /** Whether the body goes in chunks, as one does whose length is not known before. */
  readonly chunked: boolean;
}

/** As a source of data gives them that reads and sends. */
const chunkBytes = 16_384;

/** The whole request as it is sent on a connection. */
export function requestText({ method, path, headers, body, chunked }: HttpRequest): string {
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  if (chunked) fields.push('Transfer-Encoding: chunked\r\n');
  else if (body !== '') fields.push(`Content-Length: ${Buffer.byteLength(body)}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${fields.join('')}\r\n${chunked ? inChunks(body) : body}`;
}

function inChunks(body: string): string {
  const count = Math.ceil(body.length / chunkBytes);
  const chunks = Array.from({ length: count }, (_, i) => body.slice(i * chunkBytes, (i + 1) * chunkBytes));
  return [...chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`), '0\r\n\r\n'].join('');
}

/** Sends the request once on a connection of its own; rejects unless the status is 2xx. */
export function sendOnce(port: number, tls: boolean, request: HttpRequest): Promise<Buffer> {
  const { method, path, headers, body, chunked } = request;
  return new Promise((resolve, reject) => {
    const framing: Record<string, string> = chunked ? { 'Transfer-Encoding': 'chunked' } : {};
    const target = { host: '127.0.0.1', port, method, path, headers: { ...headers, ...framing } };
    const options = { ...target, agent: false, timeout: 5_000 } as const;
    const answered = (response: IncomingMessage): void => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const answer = Buffer.concat(chunks);
        const status = response.statusCode ?? 0;
        if (status >= 200 && status < 300) resolve(answer);
        else reject(new Error(`answers ${status} to ${method} ${path}: ${answer.toString('utf8').slice(0, 200)}`));
      });
    };
    const sent = tls
      ? httpsRequest({ ...options, rejectUnauthorized: false }, answered)
      : httpRequest(options, answered);
    sent.on('timeout', () => sent.destroy(new Error(`does not answer ${method} ${path}`)));
    sent.on('error', reject);
    sent.end(body);
  });
}
