import type { BodySource } from '../body.js';
import type { ProxyError } from '../errors.js';
import type { Binding } from '../transcoder/transcoder.js';

/** A message that a call sends. */
export interface ExplainedMessage {
  /** '' for bytes that a client gave as the message and that are none. */
  readonly json: string;
  readonly wire: Uint8Array;
}

export interface ExplainedMessages {
  readonly messages: readonly ExplainedMessage[];
  /** Why there are no more than these. */
  readonly fault: ProxyError | null;
}

export const noMessages: ExplainedMessages = { messages: [], fault: null };

const headerBytes = 5;
const utf8 = new TextDecoder();

/** The messages of a transcoded call whose client's body is in memory. */
export async function messagesOf(body: BodySource, { method, schema }: Binding): Promise<ExplainedMessages> {
  const { bytes, fault } = await read(body);
  const type = method.input();
  const print = (wire: Uint8Array): string => {
    try {
      return utf8.decode(schema.codecs.print(type, wire, 'set'));
    } catch {
      return '';
    }
  };
  return { messages: framesOf(bytes).map((wire) => ({ json: print(wire), wire })), fault };
}

function read(body: BodySource): Promise<{ bytes: Uint8Array; fault: ProxyError | null }> {
  const chunks: Uint8Array[] = [];
  return new Promise((resolve) => {
    const done = (fault: ProxyError | null): void => resolve({ bytes: Buffer.concat(chunks), fault });
    body.start({ write: (chunk) => chunks.push(chunk) > 0, end: () => done(null), fail: done });
  });
}

function framesOf(bytes: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + headerBytes <= bytes.length;) {
    const end = at + headerBytes + view.getUint32(at + 1);
    frames.push(bytes.subarray(at + headerBytes, end));
    at = end;
  }
  return frames;
}
