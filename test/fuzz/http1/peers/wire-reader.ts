import { valuesOf } from '../oracle/canonical.js';
import { newMessage, withoutBlanks, type Message } from '../oracle/reading.js';

/** What is read; only the end of the connection ends some answers. */
export type Side = 'request' | 'response' | 'response to HEAD' | 'response at the end';

/**
 * Reads whole messages off the front of what a peer sent, leniently: peers are trusted to write well, and what they wrote is
 * judged afterwards. Null while the first one is not complete.
 */
export function takeMessage(text: string, side: Side): { readonly message: Message; readonly length: number } | null {
  const isResponse = side !== 'request';
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd < 0) return null;
  const [startLine = '', ...lines] = text.slice(0, headEnd).split('\r\n');
  const message = newMessage();
  const [first = '', second = ''] = startLine.split(' ');
  if (isResponse) message.status = Number(second);
  else [message.method, message.target] = [first, second];
  for (const line of lines) {
    const colon = line.indexOf(':');
    message.fields.push(line.slice(0, colon), withoutBlanks(line.slice(colon + 1)));
  }
  const bodyEnd = takeBody(text, headEnd + 4, message, side);
  return bodyEnd < 0 ? null : { message, length: bodyEnd };
}

/** The index after the body, or -1 when it is not all there. */
function takeBody(text: string, from: number, message: Message, side: Side): number {
  const { status } = message;
  if (side === 'response to HEAD' || (side !== 'request' && (status < 200 || status === 204 || status === 304)))
    return from;
  if (valuesOf(message.fields, 'transfer-encoding').length > 0) return takeChunks(text, from, message);
  const [length] = valuesOf(message.fields, 'content-length');
  if (length === undefined && side === 'response') return -1;
  const end = length === undefined ? (side === 'request' ? from : text.length) : from + Number(length);
  if (text.length < end) return -1;
  message.body = text.slice(from, end);
  return end;
}

function takeChunks(text: string, from: number, message: Message): number {
  let at = from;
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd < 0) return -1;
    const size = parseInt(text.slice(at, lineEnd), 16);
    at = lineEnd + 2;
    if (size === 0) break;
    message.body += text.slice(at, at + size);
    at += size + 2;
    if (at > text.length) return -1;
  }
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd < 0) return -1;
    const line = text.slice(at, lineEnd);
    at = lineEnd + 2;
    if (line === '') return at;
    const colon = line.indexOf(':');
    message.trailers.push(line.slice(0, colon), withoutBlanks(line.slice(colon + 1)));
  }
}
