import { defaultMaxFrameBytes, defaultWindowBytes, errorCode, largestWindowBytes, violation } from './protocol.js';
import { uint32 } from './reader.js';

const settingId = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
  enableConnectProtocol: 8,
} as const;

export const settingBytes = 6;
const largestFrameBytes = 0xffffff;

/** What the peer has told of itself (RFC 9113 section 6.5.2), and the defaults until it does. */
export class PeerSettings {
  maxConcurrentStreams = Infinity;
  initialWindowBytes = defaultWindowBytes;
  maxFrameBytes = defaultMaxFrameBytes;
  maxHeaderListBytes = Infinity;
  connectProtocol = false;

  /** Takes a SETTINGS payload. Throws Http2Error for a value out of its range; unknown settings are ignored. */
  apply(payload: Buffer, start: number, end: number): void {
    for (let at = start; at < end; at += settingBytes) {
      this.#set(payload.readUInt16BE(at), uint32(payload, at + 2));
    }
  }

  #set(id: number, value: number): void {
    switch (id) {
      case settingId.enablePush:
        if (value > 1) throw violation(errorCode.protocolError, `ENABLE_PUSH is ${value}`);
        return;
      case settingId.maxConcurrentStreams:
        this.maxConcurrentStreams = value;
        return;
      case settingId.initialWindowSize:
        if (value > largestWindowBytes) throw violation(errorCode.flowControlError, `INITIAL_WINDOW_SIZE is ${value}`);
        this.initialWindowBytes = value;
        return;
      case settingId.maxFrameSize:
        if (value < defaultMaxFrameBytes || value > largestFrameBytes) {
          throw violation(errorCode.protocolError, `MAX_FRAME_SIZE is ${value}`);
        }
        this.maxFrameBytes = value;
        return;
      case settingId.maxHeaderListSize:
        this.maxHeaderListBytes = value;
        return;
      case settingId.enableConnectProtocol:
        if (value > 1) throw violation(errorCode.protocolError, `ENABLE_CONNECT_PROTOCOL is ${value}`);
        this.connectProtocol = value === 1;
    }
  }
}

/** What we tell the peer; numbers of bytes. */
export interface OwnSettings {
  /** How much of the peer's fields our decoder remembers; 0 makes every block independent of those before it. */
  readonly headerTableBytes: number;
  /** How much of a stream's body may be on its way or wait here until its reader takes it, to begin with. */
  readonly streamWindowBytes: number;
  /** What streams whose readers keep up with a fast peer may have in addition, all of a connection together. */
  readonly windowGrowthBytes: number;
  /** The same for the whole connection. It is replenished as bytes arrive, so that a slow reader never stops its neighbours. */
  readonly connectionWindowBytes: number;
  /** Names and values of one head, with 32 bytes for each field. */
  readonly maxHeaderListBytes: number;
  /** Streams that a client may have open at a time; a server's to choose. */
  readonly maxConcurrentStreams: number;
}

/** The SETTINGS that a client or server begins with. */
export function settingPairs(role: 'client' | 'server', own: OwnSettings): (readonly [id: number, value: number])[] {
  const pairs: (readonly [number, number])[] = [
    [settingId.headerTableSize, own.headerTableBytes],
    [settingId.initialWindowSize, own.streamWindowBytes],
    [settingId.maxHeaderListSize, own.maxHeaderListBytes],
  ];
  if (role === 'client') pairs.push([settingId.enablePush, 0]);
  else pairs.push([settingId.maxConcurrentStreams, own.maxConcurrentStreams], [settingId.enableConnectProtocol, 1]);
  return pairs;
}
