import { randomBytes } from 'node:crypto';

import { expect, test } from 'vitest';

import { open } from '../../proto/bus/bus.js';
import { BlobReplySchema } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { Blobs } from './blobs.js';

function chunkOf(answer: Uint8Array | null): Uint8Array {
  const opened = open(BlobReplySchema, answer ?? new Uint8Array());
  if ('fault' in opened || opened.message.reply.case !== 'chunk') throw new Error('no chunk');
  return opened.message.reply.value;
}

test.each([0, 1, 262_144, 262_145, 700_000])('%i bytes come back from their chunks', (size) => {
  const blobs = new Blobs('cp-1', 10_000_000);
  const content = randomBytes(size);

  const ref = blobs.put(content);

  const chunks = Array.from({ length: ref.chunks }, (_, index) => chunkOf(blobs.answer(ref.id, index)));
  expect(Buffer.concat(chunks).equals(content)).toBe(true);
  expect(ref).toMatchObject({
    sizeBytes: BigInt(size),
    holder: 'cp-1',
    chunks: Math.max(1, Math.ceil(size / 262_144)),
  });
  expect(blobs.answer(ref.id, ref.chunks)).toBeNull();
});

test('what is used least recently makes room; the newest stays whatever its size', () => {
  const blobs = new Blobs('cp-1', 1_000);
  const [a, b, c] = [blobs.put(randomBytes(400)), blobs.put(randomBytes(400)), randomBytes(400)];
  const again = blobs.put(Buffer.concat([chunkOf(blobs.answer(a.id, 0))]));
  const newest = blobs.put(c);

  expect(again).toBe(a);
  expect([a, b, newest].map((ref) => blobs.answer(ref.id, 0) !== null)).toEqual([true, false, true]);
  const huge = blobs.put(randomBytes(5_000));
  expect([a, newest, huge].map((ref) => blobs.answer(ref.id, 0) !== null)).toEqual([false, false, true]);
});

test('an unknown blob has no answer', () => {
  expect(new Blobs('cp-1', 1_000).answer(new Uint8Array([1]), 0)).toBeNull();
});
