import { MessageParser, Violation, type MessageHead } from '../../../../data-plane/wire/http1/http1.js';
import { wireLimits } from '../memory/gateway.js';
import { newMessage, type Message, type Reading } from './reading.js';

/** What our parser understands of bytes that come in these pieces. A refused message that was begun stays, as incomplete. */
export function readWithEngine(
  mode: 'request' | 'response',
  pieces: readonly Buffer[],
  answersHead: boolean,
  ended: boolean,
): Reading {
  const reading: Reading = { messages: [], refused: null };
  let message: Message = newMessage();
  const begin = (head: MessageHead, body: string, complete: boolean): void => {
    message = {
      ...newMessage(),
      method: head.method,
      target: head.target,
      status: head.status,
      fields: head.headers,
      body,
      complete,
      persists: parser.facts.persists,
    };
    reading.messages.push(message);
  };
  const parser = new MessageParser(mode, wireLimits, {
    onMessage: (head, bytes, start, end) => begin(head, bytes.toString('latin1', start, end), true),
    onHead: (head) => begin(head, '', false),
    onBody: (bytes, start, end) => void (message.body += bytes.toString('latin1', start, end)),
    onEnd: (trailers) => {
      message.trailers = trailers ?? [];
      message.complete = true;
    },
  });
  parser.answersHead = answersHead;
  try {
    for (const piece of pieces) {
      for (let at = 0; at < piece.length;) {
        at = parser.feed(piece, at, piece.length);
        if (message.complete && !message.persists && !isInterim(message)) return reading;
      }
    }
    if (ended ? !parser.finish() : !parser.betweenMessages) reading.refused = 'cut off';
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    reading.refused = `${error.kind}: ${error.message}`;
  }
  return reading;
}

/** What an interim answer says of the connection is about the answer to come. */
function isInterim({ status }: Message): boolean {
  return status >= 100 && status < 200;
}
