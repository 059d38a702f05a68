import { connect } from 'node:http2';
import type { HttpRequest } from './request.js';

/** Makes the gRPC call once on a connection of its own; rejects unless it ends with status OK. */
export async function callOnce(port: number, { path, headers, body }: HttpRequest): Promise<Buffer> {
  const session = connect(`http://127.0.0.1:${port}`);
  try {
    return await new Promise<Buffer>((resolve, reject) => {
      session.on('error', reject);
      const stream = session.request({ ':method': 'POST', ':path': path, ...headers });
      const chunks: Buffer[] = [];
      let status: string | undefined;
      stream.on('response', (fields) => (status = String(fields['grpc-status'] ?? `HTTP ${fields[':status']}`)));
      stream.on('trailers', (fields) => (status = String(fields['grpc-status'])));
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('error', reject);
      stream.setTimeout(5_000, () => stream.destroy(new Error(`does not answer ${path}`)));
      stream.on('end', () =>
        status === '0' ? resolve(Buffer.concat(chunks)) : reject(new Error(`answers ${path} with status ${status}`)),
      );
      stream.end(Buffer.from(body, 'latin1'));
    });
  } finally {
    session.destroy();
  }
}
