import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** Is given what has come on a connection and was left before; gives what it leaves for when more has come. */
export type Serve = (text: string, socket: Socket) => string;

/** A service behind a peer, in bytes: texts are latin1. */
export class Service {
  readonly #serve: Serve;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server = createServer({ noDelay: true }, (socket) => this.#accept(socket));

  constructor(serve: Serve) {
    this.#serve = serve;
  }

  /** Gives its port. */
  async start(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    let text = '';
    socket.on('data', (bytes: Buffer) => (text = this.#serve(text + bytes.toString('latin1'), socket)));
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
  }
}
