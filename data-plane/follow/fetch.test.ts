import { createHash, randomBytes } from 'node:crypto';

import { create } from '@bufbuild/protobuf';
import { beforeEach, expect, test } from 'vitest';

import { sealLarge, sealPlain, subjectsOf } from '../../proto/bus/bus.js';
import { MemoryBroker } from '../../proto/bus/memory.js';
import { BlobRefSchema, BlobReplySchema, ConfigPatchSchema } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { Blobs } from '../../control-plane/sync/blobs.js';
import { Fetch } from './fetch.js';

import type { Bus } from '../../proto/bus/bus.js';
import type { BlobRef } from '../../proto/gen/sluice/v1/snapshot_pb.js';

const subjects = subjectsOf('test');
const message = create(ConfigPatchSchema, { fromRevision: 7n, change: randomBytes(900_000) });
const never = new AbortController().signal;

let there: Bus;
let fetch: Fetch;
let blobs: Blobs;
let ref: BlobRef;
let asked: string[];

beforeEach(async () => {
  const broker = new MemoryBroker({ info: () => undefined, warn: () => undefined });
  there = broker.connect();
  fetch = new Fetch(broker.connect(), subjects, 'n1', 1_000);
  blobs = new Blobs('cp-1', 10_000_000);
  ref = blobs.put(await sealLarge(ConfigPatchSchema, message));
  asked = [];
});

/** Serves on `subject` what `blobs` has, changed by `change`. */
function serve(subject: string, change: (chunk: Uint8Array, index: number) => Uint8Array = (chunk) => chunk): void {
  let index = 0;
  there.serve(subject, 'blob', async () => {
    asked.push(subject);
    const at = index++;
    const answer = blobs.answer(ref.id, at % ref.chunks);
    if (answer === null) throw new Error('not there');
    return change(answer, at);
  });
}

const unknown = sealPlain(BlobReplySchema, create(BlobReplySchema, { reply: { case: 'unknown', value: {} } }));

test('a blob is put together from its chunks, asked of its holder', async () => {
  serve(subjects.blobRequestOf('cp-1'));
  serve(subjects.blobRequest);

  expect((await fetch.blob(ref, ConfigPatchSchema, never)).fromRevision).toBe(7n);

  expect(asked).toEqual(Array.from({ length: ref.chunks }, () => subjects.blobRequestOf('cp-1')));
});

test('what the holder does not have, or the holder does not answer, comes from whoever else has it', async () => {
  serve(subjects.blobRequest);
  expect((await fetch.blob(ref, ConfigPatchSchema, never)).fromRevision).toBe(7n);

  serve(subjects.blobRequestOf('cp-1'), () => unknown);
  expect((await fetch.blob(ref, ConfigPatchSchema, never)).fromRevision).toBe(7n);
});

test('chunks that are not those of the blob are refused', async () => {
  serve(subjects.blobRequestOf('cp-1'), (answer) =>
    answer.map((byte, at) => (at === answer.length - 1 ? byte ^ 1 : byte)),
  );

  await expect(fetch.blob(ref, ConfigPatchSchema, never)).rejects.toThrow('the chunks of a blob do not make it');
});

test('a blob that nobody has is an error, not a wait', async () => {
  serve(subjects.blobRequest, () => unknown);

  await expect(fetch.blob(ref, ConfigPatchSchema, never)).rejects.toThrow('a blob is not there any more');
});

test('a blob of another size than it says, or of an absurd size, is refused', async () => {
  serve(subjects.blobRequestOf('cp-1'));

  const larger = create(BlobRefSchema, { ...ref, sizeBytes: ref.sizeBytes + 1n });
  await expect(fetch.blob(larger, ConfigPatchSchema, never)).rejects.toThrow('do not make it');
  const absurd = create(BlobRefSchema, { ...ref, sizeBytes: 2n ** 40n });
  await expect(fetch.blob(absurd, ConfigPatchSchema, never)).rejects.toThrow('is not fetched');
});

test('a blob that holds something else is refused', async () => {
  const content = sealPlain(BlobRefSchema, ref);
  const id = createHash('sha256').update(content).digest();
  const other = create(BlobRefSchema, { id, sizeBytes: BigInt(content.length), chunks: 1 });
  const reply = create(BlobReplySchema, { reply: { case: 'chunk', value: content } });
  there.serve(subjects.blobRequest, 'blob', async () => sealPlain(BlobReplySchema, reply));

  await expect(fetch.blob(other, ConfigPatchSchema, never)).rejects.toThrow('it holds a sluice.v1.BlobRef');
});
