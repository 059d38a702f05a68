import type { BufferedBody } from '../../body.js';
import type { ProxyError } from '../../errors.js';
import type { HeaderList } from '../../headers.js';
import { HpackError } from '../hpack/hpack.js';
import { Chunks } from './chunks.js';
import { FloodGuard } from './flood.js';
import { HeadWriter, type RequestFields, type ResponseFields } from './head-writer.js';
import { Inbound } from './inbound.js';
import type { OutgoingBody } from './outgoing.js';
import type { ConnectionOptions, ConnectionOwner } from './owner.js';
import {
  clientPreface,
  defaultMaxFrameBytes,
  defaultWindowBytes,
  errorCode,
  errorName,
  Http2Error,
  largestWindowBytes,
  violation,
} from './protocol.js';
import { PeerFrames } from './peer-frames.js';
import { SendQueue } from './send-queue.js';
import { PeerSettings, settingPairs, type OwnSettings } from './settings.js';
import { Stream, type StreamObserver } from './stream.js';
import { StreamTable } from './stream-table.js';
import { FrameWriter } from './writer.js';

/** Credit in smaller pieces is no sign of a peer that works. */
const dribletBytes = 512;
/**
 * A field block may have this many times the bytes of the largest head before the connection ends by it: one that is only too
 * large costs its stream, and the others go on. A service has no more blocks than we ask it for.
 */
const blockFactor = { server: 2, client: 8 } as const;
/** As much leaves at once: more would only wait, and take buffers that others could use. */
const earlyFlushBytes = 65_536;
const emptyChunk = new Uint8Array(0);

/**
 * The protocol of one HTTP/2 connection (RFC 9113), client or server, without its socket: bytes come in by `receive`, frames
 * to be sent gather in `writer`, and streams and their bodies are driven from there. A peer that breaks a rule loses its
 * stream or the connection, as the RFC says. Nothing is thrown.
 */
export class Connection {
  readonly writer = new FrameWriter();
  readonly peer = new PeerSettings();
  readonly own: OwnSettings;
  readonly chunks = new Chunks();
  /** The time of what is being done now: set by the owner before it calls, milliseconds of any clock. */
  nowMs = 0;
  /** When the peer last sent a head or trailers. */
  headMs = -Infinity;
  /** What the peer may send on a new stream; not less than the default before it knows of ours. */
  newStreamWindow: number;
  /** Set by the owner, while frames are read: no more of them for now. */
  stopped = false;

  readonly #owner: ConnectionOwner;
  readonly #role: 'client' | 'server';
  readonly #inbound: Inbound;
  readonly #heads: HeadWriter;
  readonly #queue: SendQueue;
  readonly #flood: FloodGuard;
  readonly #streams: StreamTable;
  #growthBytes: number;
  /** The peer takes no more streams, or we do not. */
  peerGoesAway = false;
  goingAway = false;
  #ended = false;
  #flushWanted = false;

  constructor(owner: ConnectionOwner, { role, own, flood, encoder, texts }: ConnectionOptions) {
    this.#owner = owner;
    this.#flood = new FloodGuard(flood);
    this.#role = role;
    this.own = own;
    this.newStreamWindow = Math.max(own.streamWindowBytes, defaultWindowBytes);
    this.#growthBytes = own.windowGrowthBytes;
    this.#heads = new HeadWriter(this.writer, encoder);
    this.#queue = new SendQueue(this.writer);
    this.#streams = new StreamTable(role);
    const state = { role, owner, streams: this.#streams, queue: this.#queue, flood: this.#flood };
    const maxBlockBytes = blockFactor[role] * own.maxHeaderListBytes;
    this.#inbound = new Inbound(new PeerFrames(this, state, texts), role === 'server', maxBlockBytes);
  }

  /** Writes what the connection begins with. */
  begin(): void {
    if (this.#role === 'client') this.writer.raw(clientPreface);
    this.writer.settings(settingPairs(this.#role, this.own));
    const extra = this.own.connectionWindowBytes - defaultWindowBytes;
    if (extra > 0) this.writer.windowUpdate(0, extra);
    this.wantFlush();
  }

  /** No stream is served any more; what is in `writer` may still be sent. */
  get ended(): boolean {
    return this.#ended;
  }

  get streamCount(): number {
    return this.#streams.size;
  }

  /** Whether a client may open another stream. */
  get hasRoom(): boolean {
    return (
      !this.#ended && !this.peerGoesAway && this.#streams.size < this.peer.maxConcurrentStreams && this.#streams.hasIds
    );
  }

  /** Lets everyone who waits for a stream look at the time. */
  tick(): void {
    for (const stream of this.#streams.all()) stream.tick(this.nowMs);
  }

  get congested(): boolean {
    return this.#queue.congested;
  }

  /**
   * Opens a stream with a request head; the caller has seen that there is room, and sends the body on the stream next, unless
   * it is empty. Everything later is told to `observer`.
   */
  open(fields: RequestFields, scheme: 'http' | 'https', bodyLength: number | null, observer: StreamObserver): Stream {
    const stream = new Stream(this.#streams.takeId(), this, observer);
    this.#streams.add(stream);
    stream.localEnded = bodyLength === 0;
    stream.bodylessAnswer = fields.method === 'HEAD';
    const length = stream.localEnded && !announcesEmpty(fields.method) ? -1 : (bodyLength ?? -1);
    this.#heads.request(stream.id, fields, scheme, length, stream.localEnded, this.peer.maxFrameBytes);
    this.wantFlush();
    return stream;
  }

  sendPing(payload: Buffer): void {
    this.writer.ping(false, payload, 0);
    this.wantFlush();
  }

  /** Tells the peer that soon no more of its streams are taken; those on their way still are. */
  announceGoAway(): void {
    this.writer.goAway(largestWindowBytes, errorCode.noError, '');
    this.wantFlush();
  }

  /** Tells the peer that no more of its streams are taken. */
  goAway(code: number, text: string): void {
    this.goingAway = true;
    this.writer.goAway(this.#streams.lastPeerId, code, text);
    this.wantFlush();
  }

  /**
   * Takes what the socket received, `bytes[start, end)`. They are kept only if they are `owned`, else copied. Returns how far
   * it has read: to the end, unless `stopped` was set meanwhile; the rest is to be given again when it no longer is. Then
   * `chunks.kept` tells whether views of the bytes are in use.
   */
  receive(bytes: Buffer, start: number, end: number, owned: boolean): number {
    if (this.#ended) return end;
    this.chunks.begin(owned);
    try {
      return this.#inbound.read(bytes, start, end);
    } catch (error) {
      this.#fail(error);
      return end;
    } finally {
      this.chunks.end();
    }
  }

  /** The writer's bytes have been given to the socket, which may be full, in the middle of a turn. */
  wrote(socketBlocked: boolean): void {
    this.#queue.blockedInTurn(socketBlocked);
  }

  /** The same at a turn's end, or a full socket has room again. */
  flushed(socketBlocked: boolean): void {
    this.#flushWanted = false;
    this.#queue.socketBlocked(socketBlocked);
  }

  /** The socket is gone, or will be: every stream fails. */
  end(error: Http2Error): void {
    if (this.#ended) return;
    this.#ended = true;
    this.failStreams(0, error);
  }

  // What streams and their bodies call.

  sendData(streamId: number, chunk: Uint8Array, mostBytes: number): number {
    const bytes = this.#queue.send(streamId, chunk, mostBytes);
    if (bytes === 0) return 0;
    // The peer has to answer by credit; but not for the driblets that it asks for byte by byte.
    if (bytes === mostBytes || bytes >= dribletBytes) this.#flood.worked(2 * Math.ceil(bytes / defaultMaxFrameBytes));
    this.wantFlush();
    if (this.writer.length >= earlyFlushBytes) this.#owner.mayFlush();
    return bytes;
  }

  /** Ends a stream with a body that is in memory; false, with nothing done, when it cannot leave at once and in one frame. */
  sendWhole(stream: Stream, body: BufferedBody): boolean {
    const { length } = body;
    if (length === 0 || body.trailers !== null || !this.#queue.sendWhole(stream.id, body, stream.sendWindow))
      return false;
    stream.sendWindow -= length;
    if (length >= dribletBytes) this.#flood.worked(2);
    this.wantFlush();
    this.#afterLocalEnd(stream);
    return true;
  }

  enqueue(body: OutgoingBody): void {
    this.#queue.enqueue(body);
  }

  /** A response head; a final one goes without a body when it is `last`. */
  sendResponse(stream: Stream, status: number, fields: ResponseFields, last: boolean): void {
    if (stream.localEnded || stream.closed) return;
    this.#heads.response(stream.id, status, fields, last, this.peer.maxFrameBytes);
    this.wantFlush();
    if (last) this.#afterLocalEnd(stream);
  }

  sendEnd(stream: Stream, trailers: HeaderList | null): void {
    if (trailers !== null) this.#heads.trailers(stream.id, trailers, this.peer.maxFrameBytes);
    else if (!this.writer.endStreamOnLast(stream.id)) this.writer.data(stream.id, emptyChunk, 0, 0, true);
    this.wantFlush();
    this.#afterLocalEnd(stream);
  }

  giveCredit(streamId: number, bytes: number): void {
    this.writer.windowUpdate(streamId, bytes);
    this.wantFlush();
  }

  /** Asks for more window for a stream, or gives some back by a negative number; false when there is none left. */
  takeGrowth(bytes: number): boolean {
    if (bytes > this.#growthBytes) return false;
    this.#growthBytes -= bytes;
    return true;
  }

  /** Nobody here reads on. A client gives up the stream by that; a server may answer all the same. */
  readerLeft(stream: Stream, reason: ProxyError): void {
    if (this.#role === 'client') this.reset(stream, errorCode.cancel, reason);
  }

  /** Our body will not become complete. */
  writerFailed(stream: Stream, reason: ProxyError): void {
    this.reset(stream, this.#role === 'client' ? errorCode.cancel : errorCode.internalError, reason);
  }

  /** Ends a stream from our side. */
  reset(stream: Stream, code: number, error: ProxyError): void {
    if (stream.closed) return;
    this.sendReset(stream.id, code);
    this.close(stream, error);
  }

  // What the peer's frames lead to.

  /** An answer that is complete before its request means that nobody needs the rest of that. */
  afterRemoteEnd(stream: Stream): void {
    if (stream.localEnded) return this.close(stream, null);
    if (this.#role === 'server' || stream.tunnel) return;
    stream.outgoing?.drop(this.#owner.faultOf(answeredAlready()));
    this.sendReset(stream.id, errorCode.cancel);
    this.close(stream, null);
  }

  /** The same from the other side; but the rest of a request may be on its way, and is no fault. The owner ends the wait. */
  #afterLocalEnd(stream: Stream): void {
    stream.localEnded = true;
    stream.sent();
    if (stream.closed) return;
    if (stream.remoteEnded) this.close(stream, null);
    else if (this.#role === 'server' && !stream.tunnel) stream.incoming.fail(this.#owner.faultOf(answeredAlready()));
  }

  sendReset(streamId: number, code: number): void {
    this.writer.resetStream(streamId, code);
    this.wantFlush();
    this.#streams.rememberReset(streamId);
  }

  close(stream: Stream, error: ProxyError | null): void {
    if (stream.closed) return;
    if (error === null) this.#flood.streamDone();
    this.#streams.delete(stream);
    stream.finish(error);
    if (!this.#ended) this.#owner.streamEnded();
  }

  failStreams(aboveId: number, error: Http2Error): void {
    for (const stream of this.#streams.all()) {
      if (stream.id > aboveId) this.close(stream, this.#owner.faultOf(error));
    }
  }

  /** Says why in a GOAWAY, and ends. An error that is not the peer's is a fault of ours, or of who reads a body. */
  #fail(cause: unknown): void {
    const error = asHttp2Error(cause);
    const text = error.flood === null ? errorName(error.code) : `${errorName(error.code)}: ${error.flood}`;
    this.writer.goAway(this.#streams.lastPeerId, error.code, text);
    this.wantFlush();
    this.end(error);
    this.#owner.failed(cause);
  }

  wantFlush(): void {
    if (this.#flushWanted) return;
    this.#flushWanted = true;
    this.#owner.wantsFlush();
  }
}

/** RFC 9110 section 8.6: methods that expect a body announce that there is none. */
function announcesEmpty(method: string): boolean {
  return method === 'POST' || method === 'PUT' || method === 'PATCH';
}

function answeredAlready(): Http2Error {
  return new Http2Error('cancelled', errorCode.noError, 'the answer is complete before the request');
}

function asHttp2Error(cause: unknown): Http2Error {
  if (cause instanceof Http2Error) return cause;
  if (cause instanceof HpackError) return violation(errorCode.compressionError, cause.message);
  return new Http2Error('internal', errorCode.internalError, 'a fault of the gateway', { cause });
}
