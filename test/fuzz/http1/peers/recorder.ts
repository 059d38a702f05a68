import type { Socket } from 'node:net';
import type { Message } from '../oracle/reading.js';
import { Service } from './service.js';
import { takeMessage } from './wire-reader.js';

/** The field by which the recorder says in an answer which of its records the request became. */
export const recordField = 'x-record';

/** The service behind a peer: keeps every request as the peer sent it, and answers with the record's number. */
export class Recorder {
  readonly records: Message[] = [];
  readonly #service = new Service((text, socket) => this.#serve(text, socket));

  start(): Promise<number> {
    return this.#service.start();
  }

  close(): Promise<void> {
    return this.#service.close();
  }

  /** Forgets the records; the next one is number 0. */
  clear(): void {
    this.records.length = 0;
  }

  #serve(text: string, socket: Socket): string {
    let rest = text;
    for (let taken = takeMessage(rest, 'request'); taken !== null; taken = takeMessage(rest, 'request')) {
      rest = rest.slice(taken.length);
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 0\r\n${recordField}: ${this.records.length}\r\n\r\n`);
      this.records.push(taken.message);
    }
    return rest;
  }
}
