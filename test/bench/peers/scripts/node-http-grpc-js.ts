import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import {
  create,
  createFileRegistry,
  fromBinary,
  fromJson,
  toBinary,
  toJson,
  type DescMethod,
  type JsonObject,
  type JsonValue,
  type Message,
} from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { Client, credentials, type ServiceError } from '@grpc/grpc-js';

/**
 * A peer run by node-script.ts: REST in front of gRPC as one writes it with the usual parts, `node:http`, protobuf-es and
 * grpc-js. It knows just the methods of the bench. The last argument is the file of the descriptor set.
 */
const args = process.argv.slice(2);
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, await readFile(args.pop() ?? '')));
const [port, ...upstreamPorts] = args.map(Number);
const getShelf = methodOf('bookstore.v1.Bookstore', 'GetShelf');
const createBook = methodOf('bookstore.v1.Bookstore', 'CreateBook');
const createOrder = methodOf('bench.v1.Shop', 'CreateOrder');
const importOrder = methodOf('bench.v1.Shop', 'ImportOrder');
// A channel of its own for each, or grpc-js would share one connection.
const clients = upstreamPorts.map((each) => new Client(`127.0.0.1:${each}`, credentials.createInsecure()));
let turn = 0;

const server = createServer((request, response) => {
  const [, , collection, id = '', inner] = (request.url ?? '').split('/');
  if (collection === 'shops') {
    const method = inner === 'orders' ? createOrder : importOrder;
    readJson(request, (order) => call(method, { shop: id, order }, response));
  } else if (inner === undefined) call(getShelf, { shelf: id }, response);
  else readJson(request, (book) => call(createBook, { shelf: id, book }, response));
});
server.listen({ host: '127.0.0.1', port, backlog: 4096 });

function methodOf(service: string, name: string): DescMethod {
  const method = registry.getService(service)?.methods.find((each) => each.name === name);
  if (method === undefined) throw new Error(`${service} has no method ${name}`);
  return method;
}

function call({ name, parent, input, output }: DescMethod, fields: JsonObject, response: ServerResponse): void {
  clients[turn++ % clients.length]?.makeUnaryRequest<Message, Message>(
    `/${parent.typeName}/${name}`,
    (message) => Buffer.from(toBinary(input, message)),
    (bytes) => fromBinary(output, bytes),
    fromJson(input, fields, { registry }),
    { deadline: Date.now() + 30_000 },
    (error, message) =>
      answer(response, error, toJson(output, message ?? create(output), { registry, alwaysEmitImplicit: true })),
  );
}

function answer(response: ServerResponse, error: ServiceError | null, value: JsonValue): void {
  const body = JSON.stringify(error === null ? value : { code: error.code, message: error.details });
  response.writeHead(error === null ? 200 : 500, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
}

function readJson(request: IncomingMessage, use: (value: JsonValue) => void): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => use(JSON.parse(Buffer.concat(chunks).toString('utf8')) as JsonValue));
}
