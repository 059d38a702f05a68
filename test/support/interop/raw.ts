import { once } from 'node:events';
import { connect, createServer, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';

/** An HTTP/2 server that treats each stream as the test says. */
export interface RawServer {
  readonly port: number;
  close(): void;
}

export type StreamHandler = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

export async function startRawServer(handle: StreamHandler): Promise<RawServer> {
  const sessions = new Set<{ destroy(): void }>();
  const server = createServer();
  server.on('session', (session) => sessions.add(session));
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    handle(stream, headers);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = (): void => {
    for (const session of sessions) session.destroy();
    server.close();
  };
  return { port: (server.address() as AddressInfo).port, close };
}

/** A message of no bytes, which every message type can be read from. */
export const emptyMessage = Buffer.alloc(5);

/** Answers a unary call with an empty message. */
export function answerOk(stream: ServerHttp2Stream): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(emptyMessage);
}

export interface RawReply {
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly body: string;
}

/** One request over HTTP/2 with any fields, as no gRPC client would send it. */
export async function requestRaw(
  url: string,
  headers: Readonly<Record<string, string>>,
  body = emptyMessage,
): Promise<RawReply> {
  const session = connect(url);
  try {
    const stream = session.request({ ':method': 'POST', ...headers });
    const received: Omit<RawReply, 'body'> & { headers: IncomingHttpHeaders; trailers: IncomingHttpHeaders } = {
      headers: {},
      trailers: {},
    };
    stream.on('response', (fields) => (received.headers = fields));
    stream.on('trailers', (fields) => (received.trailers = fields));
    stream.end(headers[':method'] === 'GET' ? undefined : body);
    let text = '';
    for await (const chunk of stream) text += String(chunk);
    return { ...received, body: text };
  } finally {
    session.destroy();
  }
}
