import { connect } from 'node:net';
import type { Message } from '../oracle/reading.js';
import { takeMessage, type Side } from './wire-reader.js';

/** Who has said nothing for so long says nothing more. */
const silenceMs = 1_000;

/**
 * Sends all on a connection of its own; resolves with the final answers when there are `enough`, the other side has closed or says
 * nothing more.
 */
export function exchange(
  port: number,
  text: string,
  answersHead: (index: number) => boolean,
  enough: number,
): Promise<Message[]> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const answers: Message[] = [];
    let received = '';
    const read = (whenNotHead: Side): void => {
      for (;;) {
        const taken = takeMessage(received, answersHead(answers.length) ? 'response to HEAD' : whenNotHead);
        if (taken === null) return;
        received = received.slice(taken.length);
        if (taken.message.status >= 200) answers.push(taken.message);
      }
    };
    socket.on('data', (bytes: Buffer) => {
      received += bytes.toString('latin1');
      read('response');
      if (answers.length >= enough) socket.destroy();
    });
    socket.on('end', () => read('response at the end'));
    socket.on('error', () => {});
    socket.on('close', () => resolve(answers));
    socket.setTimeout(silenceMs, () => socket.destroy());
    socket.write(text, 'latin1');
  });
}
