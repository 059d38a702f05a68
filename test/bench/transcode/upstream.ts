import { createFileRegistry, fromBinary, fromJson, toBinary, type JsonObject } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { freePorts } from '../../../deploy/servers/servers.js';
import { order } from '../codec/payloads.js';
import type { Upstream } from '../harness/contest.js';
import { startNginx } from '../peers/nginx.js';
import { pidOf } from '../peers/running.js';

/** What the services answer to the calls, as ProtoJSON. */
export const shelf: JsonObject = { id: '42', theme: 'History' };
export const book: JsonObject = { name: 'shelves/42/books/7', author: 'Herodotus', title: 'The Histories' };
export const smallOrder = JSON.parse(order(3).json) as JsonObject;
/** 10 KiB. */
export const largeOrder = JSON.parse(order(71).json) as JsonObject;

/**
 * A gRPC service on two ports that answers at once: nginx serving messages as files over HTTP/2, with the status as a
 * trailer. (nghttpd is cheaper still, but cannot send the `content-type` without which an answer is not gRPC.)
 * It answers the paths of the REST calls alike, for a peer that does not transcode.
 */
export async function startGrpcUpstream(set: Uint8Array): Promise<Upstream> {
  const ports = await freePorts(2);
  const server = await startNginx({
    name: 'bench-grpc',
    port: ports[0] ?? 0,
    http: configuration(ports),
    files: {
      shelf: frame(set, 'bookstore.v1.Shelf', shelf),
      book: frame(set, 'bookstore.v1.Book', book),
      order: frame(set, 'bench.v1.Order', smallOrder),
      import: frame(set, 'bench.v1.Order', largeOrder),
    },
  });
  return { ports, pids: [pidOf(server)], stop: () => server.stop() };
}

/** A message as gRPC sends it: not compressed, and its length in front. */
function frame(set: Uint8Array, name: string, value: JsonObject): Uint8Array {
  const type = createFileRegistry(fromBinary(FileDescriptorSetSchema, set)).getMessage(name);
  if (type === undefined) throw new Error(`there is no message ${name}`);
  const message = toBinary(type, fromJson(type, value));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function configuration(ports: readonly number[]): string {
  return `
  http2_max_concurrent_streams 1000;
  default_type application/grpc;
  open_file_cache max=16;
  server {
    ${ports.map((port) => `listen 127.0.0.1:${port} http2 backlog=4096;`).join('\n    ')}
    add_trailer grpc-status 0;
    ${locations('shelf', ['/bookstore.v1.Bookstore/GetShelf', '/v1/shelves/42'])}
    ${locations('book', ['/bookstore.v1.Bookstore/CreateBook', '/v1/shelves/42/books'])}
    ${locations('order', ['/bench.v1.Shop/CreateOrder', '/v1/shops/7/orders'])}
    ${locations('import', ['/bench.v1.Shop/ImportOrder', '/v1/shops/7/orders:import'])}
  }`;
}

/** nginx refuses to serve a file to a POST; what it answers then is the file, too. */
function locations(file: string, paths: readonly string[]): string {
  return paths
    .map((path) => `location = ${path} { try_files /${file} =404; error_page 405 =200 /${file}; }`)
    .join('\n    ');
}
