import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { LoadResult } from './contract.js';

/** What websocket.ts asks of this process, as its one argument. */
export interface WebSocketLoad {
  readonly port: number;
  /** The handshake as it is sent. */
  readonly handshake: string;
  readonly connections: number;
  readonly seconds: number;
}

const settleMs = 250;
const openMs = 5_000;
const message = Buffer.from('{"message":"hello from the client","n":12345,"ok":true}');
const mask = Buffer.from([0x1d, 0x2c, 0x3b, 0x4a]);
/** One text message as a client sends it, and as a server sends it back (RFC 6455 section 5.2). */
const sent = Buffer.concat([
  Buffer.from([0x81, 0x80 | message.length]),
  mask,
  message.map((byte, i) => byte ^ (mask[i % 4] ?? 0)),
]);
const expected = Buffer.concat([Buffer.from([0x81, message.length]), message]);

/** Each connection sends a message as soon as the one before has come back. */
class Generator {
  readonly #load: WebSocketLoad;
  readonly #latencies: number[] = [];
  #startedMs = Infinity;
  #echoes = 0;
  #errors = 0;

  constructor(load: WebSocketLoad) {
    this.#load = load;
  }

  async run(): Promise<LoadResult> {
    const { connections, seconds } = this.#load;
    const sockets = await Promise.all(Array.from({ length: connections }, () => this.#open()));
    for (const socket of sockets) this.#exchange(socket);
    await new Promise((resolve) => setTimeout(resolve, settleMs));
    const before = this.#echoes;
    this.#startedMs = performance.now();
    await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
    const micros = (performance.now() - this.#startedMs) * 1_000;
    const requests = this.#echoes - before;
    for (const socket of sockets) socket.removeAllListeners('close').destroy();
    const sorted = this.#latencies.toSorted((a, b) => a - b);
    const percentile = (part: number): number => Math.round((sorted[Math.floor(sorted.length * part)] ?? 0) * 1_000);
    return { requests, micros, errors: this.#errors, p50Micros: percentile(0.5), p99Micros: percentile(0.99) };
  }

  async #open(): Promise<Socket> {
    const socket = connect({ host: '127.0.0.1', port: this.#load.port, noDelay: true });
    await once(socket, 'connect');
    socket.write(this.#load.handshake);
    let head = '';
    while (!head.includes('\r\n\r\n')) {
      const [chunk] = (await once(socket, 'data', { signal: AbortSignal.timeout(openMs) })) as [Buffer];
      head += chunk.toString('latin1');
    }
    if (!head.startsWith('HTTP/1.1 101 '))
      throw new Error(`answers a WebSocket handshake with ${head.split('\r\n')[0]}`);
    return socket;
  }

  #exchange(socket: Socket): void {
    let sentMs = performance.now();
    let received: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
      if (received.length < expected.length) return;
      if (received.equals(expected)) this.#echoes++;
      else this.#errors++;
      received = Buffer.alloc(0);
      const nowMs = performance.now();
      if (sentMs > this.#startedMs) this.#latencies.push(nowMs - sentMs);
      sentMs = nowMs;
      socket.write(sent);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => this.#errors++);
    socket.write(sent);
  }
}

const [, , load = '{}'] = process.argv;
console.log(JSON.stringify(await new Generator(JSON.parse(load) as WebSocketLoad).run()));
