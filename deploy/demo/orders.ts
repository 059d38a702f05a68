import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The orders that all instances of the demo share, as rows of one database would be. */
export class Orders {
  readonly #orders = new Map<number, object>([[1, { id: 1, item: 'tea', quantity: 2 }]]);
  #lastId = 100;

  list(): object[] {
    return [...this.#orders.values()];
  }

  get(id: number): object | undefined {
    return this.#orders.get(id);
  }

  add(order: object): object {
    const created = { ...order, id: ++this.#lastId };
    this.#orders.set(this.#lastId, created);
    return created;
  }
}

/** Starts one instance of the HTTP demo service; every answer names it in `x-instance`. `port` 0 takes any free one. */
export async function startOrders(
  orders: Orders,
  instance: string,
  host: string,
  port: number,
): Promise<{ name: string; port: number; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    response.setHeader('x-instance', instance);
    void answer(orders, instance, request, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, host, resolve);
  });
  return {
    name: instance,
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
  };
}

async function answer(
  orders: Orders,
  instance: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? '/').split('?')[0];
  const id = /^\/(\d+)$/.exec(path ?? '')?.[1];
  if (path === '/healthz') return send(response, 200, { instance });
  if (path === '/' && request.method === 'GET') return send(response, 200, { instance, orders: orders.list() });
  if (path === '/' && request.method === 'POST') return add(orders, request, response);
  if (path === '/')
    return send(response.setHeader('allow', 'GET, POST'), 405, { error: 'the orders service takes GET and POST here' });
  const order = id === undefined ? undefined : orders.get(Number(id));
  return order === undefined
    ? send(response, 404, { error: 'the orders service has nothing here' })
    : send(response, 200, order);
}

async function add(orders: Orders, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    send(response, 201, orders.add(JSON.parse(Buffer.concat(chunks).toString('utf8')) as object));
  } catch {
    send(response, 400, { error: 'the body is not JSON, or not whole' });
  }
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
}
