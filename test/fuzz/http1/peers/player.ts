import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { valuesOf } from '../oracle/canonical.js';
import { takeMessage } from './wire-reader.js';

/** The service behind a peer, for answers: plays the one whose number the path is, byte for byte. */
export class Player {
  answers: readonly string[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #server: Server = createServer({ noDelay: true }, (socket) => this.#serve(socket));

  async start(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as AddressInfo).port;
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
      const taken = takeMessage(text, 'request');
      if (taken === null) return;
      text = text.slice(taken.length);
      const answer = this.answers[Number(taken.message.target.slice(1))] ?? '';
      socket.write(answer, 'latin1');
      const head = takeMessage(answer, 'response to HEAD')?.message;
      if (head === undefined || valuesOf(head.fields, 'connection').includes('close')) socket.end();
    });
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
  }
}
