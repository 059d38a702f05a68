import { errorCode, largestWindowBytes, violation } from './protocol.js';
import type { Stream } from './stream.js';

/** Streams that we reset, whose late frames are no fault of the peer. */
const mostRememberedResets = 1024;

/** The open streams of a connection, and what their ids tell of those that are not open (RFC 9113 section 5.1). */
export class StreamTable {
  readonly #streams = new Map<number, Stream>();
  readonly #resetIds = new Set<number>();
  readonly #ownParity: 0 | 1;
  #nextOwnId: number;
  #lastPeerId = 0;

  constructor(role: 'client' | 'server') {
    this.#ownParity = role === 'client' ? 1 : 0;
    this.#nextOwnId = role === 'client' ? 1 : 2;
  }

  get size(): number {
    return this.#streams.size;
  }

  get lastPeerId(): number {
    return this.#lastPeerId;
  }

  /** Whether there is an id for another stream of ours. */
  get hasIds(): boolean {
    return this.#nextOwnId < largestWindowBytes;
  }

  get(id: number): Stream | undefined {
    return this.#streams.get(id);
  }

  all(): IterableIterator<Stream> {
    return this.#streams.values();
  }

  takeId(): number {
    const id = this.#nextOwnId;
    this.#nextOwnId += 2;
    return id;
  }

  /** Takes note of a stream that the peer opens; false when the id is one of the past. Throws when it is not the peer's to open. */
  openedByPeer(id: number): boolean {
    if (id <= this.#lastPeerId) return false;
    if (id % 2 === this.#ownParity) throw violation(errorCode.protocolError, `the peer opened stream ${id}`);
    this.#lastPeerId = id;
    return true;
  }

  add(stream: Stream): void {
    this.#streams.set(stream.id, stream);
  }

  delete(stream: Stream): void {
    this.#streams.delete(stream.id);
  }

  checkNotIdle(id: number, frame: string): void {
    const idle = id % 2 === this.#ownParity ? id >= this.#nextOwnId : id > this.#lastPeerId;
    if (idle) throw violation(errorCode.protocolError, `${frame} on an idle stream`);
  }

  rememberReset(id: number): void {
    this.#resetIds.add(id);
    if (this.#resetIds.size <= mostRememberedResets) return;
    for (const oldest of this.#resetIds) {
      this.#resetIds.delete(oldest);
      return;
    }
  }

  wasReset(id: number): boolean {
    return this.#resetIds.has(id);
  }
}
