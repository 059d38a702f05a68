/** RFC 9113 section 6. */
export const frameType = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const frameFlag = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

/** RFC 9113 section 7. */
export const errorCode = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  compressionError: 9,
  connectError: 10,
  enhanceYourCalm: 11,
  inadequateSecurity: 12,
  http11Required: 13,
} as const;

const errorNames: readonly string[] = Object.keys(errorCode);

export function errorName(code: number): string {
  return errorNames[code] ?? `error ${code}`;
}

export const frameHeaderBytes = 9;
/** SETTINGS_MAX_FRAME_SIZE unless the peer says otherwise, and what we take: larger frames only delay other streams. */
export const defaultMaxFrameBytes = 16_384;
export const defaultWindowBytes = 65_535;
export const largestWindowBytes = 0x7fffffff;

/** What a client sends before its first frame. */
export const clientPreface: Buffer = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/**
 * Why a stream ended early:
 * `reset` the peer gave the stream up; `refused` it did so before looking at it, or will never look at it (REFUSED_STREAM,
 * GOAWAY below it); `lost` the connection ended; `malformed` the peer broke a rule; `too_large` its head exceeds our limit;
 * `cancelled` we gave it up; `internal` who reads or writes its bodies threw an error.
 */
export type FaultReason = 'reset' | 'refused' | 'lost' | 'malformed' | 'too_large' | 'cancelled' | 'internal';

/** What a peer did too much of. The names are labels of a metric. */
export type FloodKind =
  | 'continuation'
  | 'empty_data'
  | 'goaway'
  | 'interim_head'
  | 'large_head'
  | 'late_frame'
  | 'malformed_head'
  | 'ping'
  | 'priority'
  | 'refused_stream'
  | 'reset'
  | 'settings'
  | 'stream_error'
  | 'unknown_frame'
  | 'window_update';

/** A fault of a stream or a connection, with the code that the peer sent or is to be sent. */
export class Http2Error extends Error {
  override readonly name = 'Http2Error';
  readonly reason: FaultReason;
  readonly code: number;
  /** Set when the connection ends by it to protect us. */
  readonly flood: FloodKind | null;

  constructor(
    reason: FaultReason,
    code: number,
    message: string,
    { cause, flood }: { readonly cause?: unknown; readonly flood?: FloodKind } = {},
  ) {
    // A flood makes many of these, and a stack would be the dearest part of each.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(`${message} (${errorName(code)})`, cause === undefined ? undefined : { cause });
    Error.stackTraceLimit = stackTraceLimit;
    this.reason = reason;
    this.code = code;
    this.flood = flood ?? null;
  }
}

/** The peer broke a rule of the protocol; whether a stream or the connection ends by it, the catcher knows. */
export function violation(code: number, message: string): Http2Error {
  return new Http2Error('malformed', code, message);
}
