import type { Duplex } from 'node:stream';

const headBytes = 4;

/** Answers messages that each come, and go, behind their length in four bytes, little end first. */
export function serve(stream: Duplex, answer: (request: Uint8Array) => Uint8Array): void {
  let held: Buffer = Buffer.alloc(0);
  stream.on('error', () => stream.destroy());
  stream.on('data', (chunk: Buffer) => {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    while (held.length >= headBytes) {
      const end = headBytes + held.readUInt32LE(0);
      if (held.length < end) return;
      const reply = answer(held.subarray(headBytes, end));
      const head = Buffer.alloc(headBytes);
      head.writeUInt32LE(reply.length);
      stream.write(Buffer.concat([head, reply]));
      held = held.subarray(end);
    }
  });
}
