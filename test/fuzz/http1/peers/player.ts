import type { Socket } from 'node:net';
import { valuesOf } from '../oracle/canonical.js';
import { Service } from './service.js';
import { takeMessage } from './wire-reader.js';

/** The service behind a peer, for answers: plays the one whose number the path is, byte for byte. */
export class Player {
  answers: readonly string[] = [];
  readonly #service = new Service((text, socket) => this.#serve(text, socket));

  start(): Promise<number> {
    return this.#service.start();
  }

  close(): Promise<void> {
    return this.#service.close();
  }

  #serve(text: string, socket: Socket): string {
    const taken = takeMessage(text, 'request');
    if (taken === null) return text;
    const answer = this.answers[Number(taken.message.target.slice(1))] ?? '';
    socket.write(answer, 'latin1');
    const head = takeMessage(answer, 'response to HEAD')?.message;
    if (head === undefined || valuesOf(head.fields, 'connection').includes('close')) socket.end();
    return text.slice(taken.length);
  }
}
