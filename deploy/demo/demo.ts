import { Bookstore, startBookstore } from './bookstore.js';
import { packageFile } from '../package-file.js';
import { Orders, startOrders } from './orders.js';

interface Instance {
  readonly name: string;
  readonly port: number;
  close(): Promise<void>;
}

export interface DemoServices {
  readonly orders: readonly Instance[];
  readonly bookstore: readonly Instance[];
  close(): Promise<void>;
}

/** Which ports the instances listen on; 0 takes any free one. */
export interface DemoPorts {
  readonly orders: readonly number[];
  readonly bookstore: readonly number[];
}

/** What demo.yaml names. */
export const demoPorts: DemoPorts = { orders: [9101, 9102], bookstore: [9111, 9112] };

/** Starts the example services, several instances of each, which share what they store. Rejects, naming the port, when one is taken. */
export async function startDemoServices(ports: DemoPorts, host = '127.0.0.1'): Promise<DemoServices> {
  const orders = new Orders();
  const bookstore = new Bookstore();
  const started: Instance[] = [];
  const start = async (instance: Promise<Instance>, port: number): Promise<Instance> => {
    const running = await instance.catch((error: unknown) => {
      throw new Error(
        `a demo service cannot listen on port ${port}: ${error instanceof Error ? error.message : String(error)}`,
      );
    });
    started.push(running);
    return running;
  };
  const close = async (): Promise<void> => {
    await Promise.all(started.map((instance) => instance.close()));
  };
  try {
    return {
      orders: await Promise.all(
        ports.orders.map((port, i) => start(startOrders(orders, `orders-${i + 1}`, host, port), port)),
      ),
      bookstore: await Promise.all(
        ports.bookstore.map((port, i) => start(startBookstore(bookstore, `bookstore-${i + 1}`, host, port), port)),
      ),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What `npm start` serves. */
export const demoConfigFile = packageFile('deploy/demo/demo.yaml');

/** Where the demo is reached. */
export interface DemoAddress {
  readonly port: number;
  /** Null: not over TLS. */
  readonly tlsPort: number | null;
  readonly adminPort: number;
}

/** Commands that work as printed once the demo runs. */
export function demoCommands({ port, tlsPort, adminPort }: DemoAddress): string[] {
  const base = `http://localhost:${port}`;
  const sluice = `npm run -s sluice --${adminPort === 9900 ? '' : ` --address 127.0.0.1:${adminPort}`}`;
  return [
    `curl ${base}/orders`,
    ...(tlsPort === null ? [] : [`curl -k https://127.0.0.1:${tlsPort}/orders`]),
    `curl -i -X POST ${base}/orders -H 'content-type: application/json' -d '{"item":"tea","quantity":3}'`,
    `curl ${base}/v1/shelves`,
    `curl -i -X POST ${base}/v1/shelves -d '{"theme":"Poetry"}'`,
    `curl ${base}/v1/shelves/1/books/1`,
    `curl -i ${base}/v1/shelves/99`,
    `curl -i -X DELETE ${base}/orders/nothing-here`,
    `${sluice} get routes`,
    `${sluice} nodes`,
  ];
}
