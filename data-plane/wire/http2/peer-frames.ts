import type { HeaderList } from '../../headers.js';
import type { TextCache } from '../hpack/hpack.js';
import type { Connection } from './connection.js';
import type { FloodGuard } from './flood.js';
import type { BlockKind, HeadCollector } from './head.js';
import { HeadReader } from './head-reader.js';
import type { InboundHandler } from './inbound.js';
import type { ConnectionOwner } from './owner.js';
import { defaultWindowBytes, errorCode, Http2Error, violation, type FloodKind } from './protocol.js';
import type { SendQueue } from './send-queue.js';
import { Stream } from './stream.js';
import type { StreamTable } from './stream-table.js';

/** What a connection shares with those who read its frames. */
export interface ConnectionState {
  readonly role: 'client' | 'server';
  readonly owner: ConnectionOwner;
  readonly streams: StreamTable;
  readonly queue: SendQueue;
  readonly flood: FloodGuard;
}

/** Of a stream that is closed, DATA of this size is the rest of a body that was on its way, and less is mischief. */
const lateBodyBytes = 512;
/** The answer that follows gives one back. */
const largeHeadCost = 4;
/** The table that a peer may use before it knows our settings (RFC 9113 section 6.5.2). */
const initialTableBytes = 4096;

/**
 * What each frame of the peer means for the streams of a connection: the state machine of RFC 9113 sections 5 and 8. Faults of
 * one stream end that stream; for those of the connection an Http2Error is thrown.
 */
export class PeerFrames implements InboundHandler {
  readonly #connection: Connection;
  readonly #state: ConnectionState;
  readonly #blocks: HeadReader;
  /** What the peer may still send on the connection, and what it has sent since it got credit. */
  #receiveWindow: number;
  #creditOwed = 0;

  constructor(connection: Connection, state: ConnectionState, texts: TextCache) {
    const { headerTableBytes, maxHeaderListBytes, connectionWindowBytes } = connection.own;
    this.#connection = connection;
    this.#state = state;
    this.#blocks = new HeadReader(Math.max(headerTableBytes, initialTableBytes), maxHeaderListBytes, texts);
    this.#receiveWindow = Math.max(connectionWindowBytes, defaultWindowBytes);
  }

  get stopped(): boolean {
    return this.#connection.stopped;
  }

  data(streamId: number, buffer: Buffer, start: number, end: number, flowBytes: number, last: boolean): void {
    if (this.#connection.ended) return;
    this.#takeCredit(flowBytes);
    const stream = this.#state.streams.get(streamId);
    if (end - start >= (stream === undefined ? lateBodyBytes : 1)) this.#state.flood.worked(1);
    else if (end === start && !last) this.#useless('empty_data');
    if (stream === undefined) return this.#lateFrame(streamId, 'DATA');
    if (stream.remoteEnded) return this.#violation(stream, violation(errorCode.streamClosed, 'DATA after the end'));
    if (!stream.headReceived) return this.#violation(stream, violation(errorCode.protocolError, 'DATA before a head'));
    const fault = stream.incoming.receive(buffer, start, end, flowBytes);
    if (fault !== null) return this.#violation(stream, fault);
    if (last) this.#remoteEnd(stream, null);
  }

  fieldBlock(streamId: number, last: boolean, buffer: Buffer, start: number, end: number): void {
    if (this.#connection.ended) return;
    this.#connection.headMs = this.#connection.nowMs;
    const stream = this.#state.streams.get(streamId);
    const head = this.#blocks.read(stream?.headReceived === true ? 'trailers' : this.#headKind, buffer, start, end);
    if (stream === undefined) return this.#headWithoutStream(streamId, head, last);
    if (stream.remoteEnded) return this.#violation(stream, violation(errorCode.streamClosed, 'HEADERS after the end'));
    if (head.tooLarge) return this.#violation(stream, new Http2Error('too_large', errorCode.cancel, 'the header list'));
    if (head.malformed !== null) return this.#violation(stream, violation(errorCode.protocolError, head.malformed));
    if (!stream.headReceived) return this.#responseHead(stream, head, last);
    if (!last) return this.#violation(stream, violation(errorCode.protocolError, 'trailers before the end'));
    this.#remoteEnd(stream, head.headers.length > 0 ? head.headers : null);
  }

  resetReceived(streamId: number, code: number): void {
    if (this.#connection.ended) return;
    const stream = this.#state.streams.get(streamId);
    if (stream === undefined || this.#state.role === 'server') this.#comesToNothing('reset');
    if (stream === undefined) return this.#state.streams.checkNotIdle(streamId, 'RST_STREAM');
    const reason = code === errorCode.refusedStream ? 'refused' : 'reset';
    this.#connection.close(
      stream,
      this.#state.owner.faultOf(new Http2Error(reason, code, 'the peer reset the stream')),
    );
  }

  settings(payload: Buffer | null, start: number, end: number): void {
    if (this.#connection.ended) return;
    this.#useless('settings', 1 + this.#state.streams.size / 16);
    if (payload === null) return this.#settingsAcknowledged();
    const windowBefore = this.#connection.peer.initialWindowBytes;
    this.#connection.peer.apply(payload, start, end);
    this.#connection.writer.settingsAck();
    this.#connection.wantFlush();
    this.#shiftWindows(this.#connection.peer.initialWindowBytes - windowBefore);
    this.#state.owner.settingsReceived();
  }

  ping(ack: boolean, payload: Buffer, start: number): void {
    if (this.#connection.ended) return;
    this.#useless('ping');
    if (ack) return this.#state.owner.pingAcknowledged();
    this.#connection.writer.ping(true, payload, start);
    this.#connection.wantFlush();
  }

  goAwayReceived(lastStreamId: number, code: number, text: string): void {
    if (this.#connection.ended) return;
    this.#useless('goaway');
    this.#connection.peerGoesAway = true;
    const error = new Http2Error('refused', code, `the peer goes away${text === '' ? '' : `: ${text}`}`);
    if (this.#state.role === 'client') this.#connection.failStreams(lastStreamId, error);
    this.#state.owner.goAwayReceived(code, text);
  }

  credit(streamId: number, bytes: number): void {
    if (this.#connection.ended) return;
    this.#useless('window_update');
    if (streamId === 0) {
      if (!this.#state.queue.addCredit(bytes))
        throw violation(errorCode.flowControlError, 'the connection window overflows');
      return;
    }
    const stream = this.#state.streams.get(streamId);
    if (stream === undefined) return this.#state.streams.checkNotIdle(streamId, 'WINDOW_UPDATE');
    if (!stream.addCredit(bytes)) {
      return this.#violation(stream, violation(errorCode.flowControlError, 'a stream window overflows'));
    }
    this.#state.queue.run();
  }

  streamViolation(streamId: number, code: number, message: string): void {
    if (this.#connection.ended) return;
    this.#useless('stream_error');
    const stream = this.#state.streams.get(streamId);
    if (stream !== undefined) this.#violation(stream, violation(code, message));
    else this.#connection.sendReset(streamId, code);
  }

  ignored(kind: 'priority' | 'unknown_frame'): void {
    this.#useless(kind);
  }

  get #headKind(): BlockKind {
    return this.#state.role === 'client' ? 'response' : 'request';
  }

  #settingsAcknowledged(): void {
    this.#connection.newStreamWindow = this.#connection.own.streamWindowBytes;
    this.#blocks.setMaxTableBytes(this.#connection.own.headerTableBytes);
  }

  #responseHead(stream: Stream, head: HeadCollector, last: boolean): void {
    if (head.status < 200) {
      if (last || head.status === 101)
        return this.#violation(stream, violation(errorCode.protocolError, 'a final interim head'));
      this.#useless('interim_head');
      return stream.head(head);
    }
    stream.headReceived = true;
    stream.incoming.announce(head.contentLength, stream.bodylessAnswer || head.status === 304, last);
    if (!last) return stream.head(head);
    const fault = stream.incoming.end(null);
    if (fault !== null) return this.#violation(stream, fault);
    stream.remoteEnded = true;
    stream.head(head);
    if (!stream.closed) this.#connection.afterRemoteEnd(stream);
  }

  #headWithoutStream(streamId: number, head: HeadCollector, last: boolean): void {
    if (this.#state.role === 'server' && this.#state.streams.openedByPeer(streamId)) this.#accept(streamId, head, last);
    else this.#lateFrame(streamId, 'HEADERS');
  }

  #accept(streamId: number, head: HeadCollector, last: boolean): void {
    if (this.#connection.goingAway || this.#state.streams.size >= this.#connection.own.maxConcurrentStreams) {
      this.#comesToNothing('refused_stream');
      return this.#connection.sendReset(streamId, errorCode.refusedStream);
    }
    if (head.malformed !== null) {
      this.#comesToNothing('malformed_head');
      return this.#connection.sendReset(streamId, errorCode.protocolError);
    }
    // Answered by 431, but reading all of it has cost more than most requests do.
    if (head.tooLarge) this.#comesToNothing('large_head', largeHeadCost);
    const stream = new Stream(streamId, this.#connection, null);
    this.#state.streams.add(stream);
    stream.headReceived = true;
    stream.incoming.announce(head.contentLength, false, last);
    if (last) {
      const fault = stream.incoming.end(null);
      if (fault !== null) return this.#violation(stream, fault);
      stream.remoteEnded = true;
    }
    this.#state.owner.opened(stream, head);
  }

  #remoteEnd(stream: Stream, trailers: HeaderList | null): void {
    if (stream.closed) return;
    stream.remoteEnded = true;
    const fault = stream.incoming.end(trailers);
    if (fault !== null) return this.#violation(stream, fault);
    if (!stream.closed) this.#connection.afterRemoteEnd(stream);
  }

  #takeCredit(bytes: number): void {
    this.#receiveWindow -= bytes;
    if (this.#receiveWindow < 0) throw violation(errorCode.flowControlError, 'more bytes than the connection window');
    this.#creditOwed += bytes;
    if (this.#creditOwed * 2 < this.#connection.own.connectionWindowBytes) return;
    this.#receiveWindow += this.#creditOwed;
    this.#connection.giveCredit(0, this.#creditOwed);
    this.#creditOwed = 0;
  }

  #shiftWindows(bytes: number): void {
    if (bytes === 0) return;
    for (const stream of this.#state.streams.all()) {
      if (!stream.addCredit(bytes)) throw violation(errorCode.flowControlError, 'a stream window overflows');
    }
    this.#state.queue.run();
  }

  /** A frame for a stream that is over: no fault when we reset it and the peer could not know yet. */
  #lateFrame(streamId: number, frame: string): void {
    this.#state.streams.checkNotIdle(streamId, frame);
    this.#useless('late_frame');
    if (this.#state.streams.wasReset(streamId)) return;
    if (this.#state.role === 'server') throw violation(errorCode.streamClosed, `${frame} on a closed stream`);
    this.#connection.sendReset(streamId, errorCode.streamClosed);
  }

  /** What a server breaks is bounded by what we ask of it; what a client breaks, by nothing else. */
  #violation(stream: Stream, error: Http2Error): void {
    if (this.#state.role === 'server') this.#comesToNothing('stream_error');
    this.#connection.reset(stream, error.code, this.#state.owner.faultOf(error));
  }

  #useless(frames: FloodKind, cost = 1): void {
    this.#state.flood.frame(frames, this.#connection.nowMs, cost);
  }

  #comesToNothing(why: FloodKind, cost = 1): void {
    this.#state.flood.reset(why, this.#connection.nowMs, cost);
  }
}
