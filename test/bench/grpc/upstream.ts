import { freePorts } from '../../../deploy/servers/servers.js';
import type { Upstream } from '../harness/contest.js';
import { startNginx } from '../peers/nginx.js';
import { pidOf } from '../peers/running.js';

/** The bytes of one message in the replies of `Stream`. */
const streamedBytes = 64;
export const streamedMessages = 1_000;

/** By method: what the service answers. */
export const replies = {
  Empty: message(16),
  OneKiB: message(1_024),
  SixtyFourKiB: message(65_536),
  Stream: message(streamedBytes).repeat(streamedMessages),
} as const;

export type Method = keyof typeof replies;

/** A message as gRPC sends it: not compressed, its length in front. All its bytes are ASCII, as files of nginx and arguments like it. */
export function message(bytes: number): string {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes, 1);
  return head.toString('latin1') + 'x'.repeat(bytes);
}

/**
 * A gRPC service on two ports that answers at once: nginx with replies from memory and the status as a trailer. Each message of
 * `Stream` comes in a frame of its own, as a service writes them that has them one by one.
 */
export async function startCallUpstream(): Promise<Upstream> {
  const [files = 0, ...ports] = await freePorts(3);
  const http = configuration(files, ports);
  const server = await startNginx({ name: 'bench-calls', port: ports[0] ?? 0, http, files: replies });
  return { ports, pids: [pidOf(server)], stop: () => server.stop() };
}

/**
 * nginx refuses to serve a file to a POST, and answers it before it has read its body, which nginx as a client does not bear. Only a
 * request that goes on to another server, here the one on port `files`, is read before.
 */
function configuration(files: number, ports: readonly number[]): string {
  return `
  http2_max_concurrent_streams 1000;
  client_max_body_size 0;
  client_body_buffer_size 128k;
  default_type application/grpc;
  open_file_cache max=16;
  upstream files {
    server 127.0.0.1:${files};
    keepalive 64;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${files} backlog=4096;
  }
  server {
    ${ports.map((port) => `listen 127.0.0.1:${port} http2 backlog=4096;`).join('\n    ')}
    add_trailer grpc-status 0;
    proxy_method GET;
    proxy_pass_request_body off;
    proxy_set_header Content-Length '';
    proxy_set_header Connection '';
    proxy_http_version 1.1;
    proxy_buffers 8 16k;
    location /bench.v1.Bench/ { proxy_pass http://files/; }
    location = /bench.v1.Bench/Stream { http2_chunk_size ${streamedBytes + 5}; proxy_pass http://files/Stream; }
  }`;
}
