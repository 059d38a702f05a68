import { create } from '@bufbuild/protobuf';

import { sealPlain } from '../../proto/bus/bus.js';
import { BlobRefSchema, BlobReplySchema } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { sha256 } from '../../proto/snapshot/snapshot.js';

import type { BlobRef } from '../../proto/gen/sluice/v1/snapshot_pb.js';

/** Fits a server's default limit of 1 MiB with room to spare. */
const chunkBytes = 256 * 1024;

interface Blob {
  readonly ref: BlobRef;
  /** Sealed answers, so that serving a chunk a thousand times costs no more than sending it. */
  readonly answers: readonly Uint8Array[];
}

/** Content that nodes fetch in chunks, by its sha256. Keeps the newest `maxBytes`, and the newest one whatever its size. */
export class Blobs {
  readonly #holder: string;
  readonly #maxBytes: number;
  readonly #blobs = new Map<string, Blob>();
  #bytes = 0;

  constructor(holder: string, maxBytes: number) {
    this.#holder = holder;
    this.#maxBytes = maxBytes;
  }

  put(content: Uint8Array): BlobRef {
    const id = sha256(content);
    const key = keyOf(id);
    const known = this.#blobs.get(key);
    if (known !== undefined) {
      this.#blobs.delete(key);
      this.#blobs.set(key, known);
      return known.ref;
    }
    const answers: Uint8Array[] = [];
    for (let from = 0; from === 0 || from < content.length; from += chunkBytes) {
      const chunk = content.subarray(from, from + chunkBytes);
      answers.push(sealPlain(BlobReplySchema, create(BlobReplySchema, { reply: { case: 'chunk', value: chunk } })));
    }
    const ref = create(BlobRefSchema, {
      id,
      sizeBytes: BigInt(content.length),
      chunks: answers.length,
      holder: this.#holder,
    });
    this.#blobs.set(key, { ref, answers });
    this.#bytes += content.length;
    this.#shrink();
    return ref;
  }

  /** A sealed BlobReply with the chunk, or null when it is not here (any more). */
  answer(id: Uint8Array, index: number): Uint8Array | null {
    return this.#blobs.get(keyOf(id))?.answers[index] ?? null;
  }

  #shrink(): void {
    for (const [key, { ref }] of this.#blobs) {
      if (this.#bytes <= this.#maxBytes || this.#blobs.size === 1) return;
      this.#blobs.delete(key);
      this.#bytes -= Number(ref.sizeBytes);
    }
  }
}

function keyOf(id: Uint8Array): string {
  return Buffer.from(id).toString('hex');
}
