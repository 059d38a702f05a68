import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Message } from '../oracle/reading.js';
import { takeMessage } from './wire-reader.js';

/** The field by which the recorder says in an answer which of its records the request became. */
export const recordField = 'x-record';

/** The service behind a peer: keeps every request as the peer sent it, and answers with the record's number. */
export class Recorder {
  readonly records: Message[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #server: Server = createServer({ noDelay: true }, (socket) => this.#serve(socket));

  async start(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  /** Forgets the records; the next one is number 0. */
  clear(): void {
    this.records.length = 0;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    let text = '';
    socket.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1');
      for (let taken = takeMessage(text, 'request'); taken !== null; taken = takeMessage(text, 'request')) {
        text = text.slice(taken.length);
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 0\r\n${recordField}: ${this.records.length}\r\n\r\n`);
        this.records.push(taken.message);
      }
    });
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
  }
}
