import type { BufferedBody } from '../../body.js';
import type { OutgoingBody } from './outgoing.js';
import { defaultMaxFrameBytes, defaultWindowBytes, largestWindowBytes } from './protocol.js';
import type { FrameWriter } from './writer.js';

/** Bodies pause while more than this waits to be written: enough to keep a fast socket busy for a turn of the event loop. */
const congestedBytes = 262_144;

/**
 * Whose turn it is to send: the connection's credit, whether the socket takes more, and the bodies that wait for either.
 * Waiting bodies go round, one frame each.
 */
export class SendQueue {
  readonly #writer: FrameWriter;
  #window = defaultWindowBytes;
  #socketBlocked = false;
  /** Bodies with bytes and credit of their own, and those that have sent all and wait to be asked for more. */
  #sending: OutgoingBody[] = [];
  #resuming: OutgoingBody[] = [];

  constructor(writer: FrameWriter) {
    this.#writer = writer;
  }

  get congested(): boolean {
    return this.#socketBlocked || this.#writer.length > congestedBytes;
  }

  /** Frames up to `mostBytes` of a chunk, as far as credit and socket allow; returns how many. */
  send(streamId: number, chunk: Uint8Array, mostBytes: number): number {
    if (this.congested) return 0;
    const bytes = Math.min(mostBytes, this.#window);
    for (let at = 0; at < bytes; at += defaultMaxFrameBytes) {
      this.#writer.data(streamId, chunk, at, Math.min(at + defaultMaxFrameBytes, bytes), false);
    }
    if (bytes <= 0) return 0;
    this.#window -= bytes;
    return bytes;
  }

  /** A whole body in one last frame; false, with nothing done, where size, credit or socket do not allow it. */
  sendWhole(streamId: number, body: BufferedBody, mostBytes: number): boolean {
    const { length } = body;
    if (length > Math.min(mostBytes, this.#window, defaultMaxFrameBytes) || this.congested) return false;
    this.#writer.lastData(streamId, body);
    this.#window -= length;
    return true;
  }

  enqueue(body: OutgoingBody): void {
    body.queued = true;
    if (body.blocked) this.#sending.push(body);
    else this.#resuming.push(body);
  }

  /** Credit of the peer for the connection; false when that is more than there can be. */
  addCredit(bytes: number): boolean {
    this.#window += bytes;
    if (this.#window > largestWindowBytes) return false;
    this.run();
    return true;
  }

  /** As long as a body is being sent, the others wait for the turn's end. */
  blockedInTurn(blocked: boolean): void {
    this.#socketBlocked = blocked;
  }

  socketBlocked(blocked: boolean): void {
    this.#socketBlocked = blocked;
    if (!blocked) this.run();
  }

  /** Gives those that wait their turns, until all have sent what they may or there is no room. */
  run(): void {
    while (this.#resuming.length > 0 && !this.congested) this.#turn(this.#resuming.shift() as OutgoingBody);
    while (this.#sending.length > 0 && this.#window > 0 && !this.congested)
      this.#turn(this.#sending.shift() as OutgoingBody);
  }

  #turn(body: OutgoingBody): void {
    body.queued = false;
    if (body.sendSome(defaultMaxFrameBytes) && !body.queued) this.enqueue(body);
  }
}
