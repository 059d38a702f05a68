import type { SharedReadBuffer } from '../../socket/read-buffer.js';
import type { TimerWheel } from '../../wheel.js';
import type { HpackEncoder, TextCache } from '../../wire/hpack/hpack.js';
import type { UpstreamTls } from '../tls.js';
import type { Transport } from '../transport.js';
import type { Http2TransportLimits } from './limits.js';
import { Http2Pool } from './pool.js';

export { defaultHttp2Limits, type Http2TransportLimits } from './limits.js';

export interface Http2TransportOptions {
  readonly address: string;
  readonly port: number;
  readonly wheel: TimerWheel;
  /** Without it, HTTP/2 by prior knowledge over plain TCP. */
  readonly tls?: UpstreamTls;
  readonly limits?: Partial<Http2TransportLimits>;
  /** What all transports of a process may share; one without has its own. */
  readonly reads?: SharedReadBuffer;
  readonly encoder?: HpackEncoder;
  readonly texts?: TextCache;
  /** [0, 1), to spread reconnects. */
  readonly random?: () => number;
}

/**
 * HTTP/2 to one endpoint, for gRPC above all: many calls on few connections, opened on demand. Requests, answers and
 * trailers pass as they are, with flow control both ways; message framing is the caller's.
 * A call that never reached the endpoint, or that it refused to look at, fails as retriable (`upstream_unsent`).
 */
export function createHttp2Transport(options: Http2TransportOptions): Transport {
  return new Http2Pool(options);
}
