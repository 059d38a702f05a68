import type { BodySink, BodySource } from '../../body.js';
import { ProxyError } from '../../errors.js';
import type { HeaderList } from '../../headers.js';
import { HpackEncoder, TextCache } from '../hpack/hpack.js';
import { Connection } from './connection.js';
import type { HeadCollector } from './head.js';
import type { ConnectionOwner } from './owner.js';
import type { Http2Error } from './protocol.js';
import { FrameReader } from './reader.js';
import type { OwnSettings } from './settings.js';
import type { Stream, StreamObserver } from './stream.js';

export const own: OwnSettings = {
  headerTableBytes: 4096,
  streamWindowBytes: 65_535,
  windowGrowthBytes: 0,
  connectionWindowBytes: 262_144,
  maxHeaderListBytes: 16_384,
  maxConcurrentStreams: 100,
};

/** What happened to one stream, and its body as far as it has been read. */
export class StreamLog implements StreamObserver, BodySink {
  readonly chunks: Buffer[] = [];
  readonly informs: number[] = [];
  status = 0;
  headers: HeaderList = [];
  trailers: HeaderList | null = null;
  ended = false;
  failure: ProxyError | null = null;
  closedBy: ProxyError | null | undefined = undefined;
  /** Says of each chunk whether more may come. */
  hasRoom: () => boolean = () => true;
  stream: Stream | null = null;

  headArrived(head: HeadCollector): void {
    if (head.status < 200) return void this.informs.push(head.status);
    this.status = head.status;
    this.headers = head.headers;
    this.stream?.incoming.start(this);
  }

  tick(): void {}

  sent(): void {}

  closed(error: ProxyError | null): void {
    if (this.closedBy !== undefined) throw new Error('closed twice');
    this.closedBy = error;
  }

  write(chunk: Uint8Array): boolean {
    if (this.ended || this.failure !== null) throw new Error('bytes after the end');
    this.chunks.push(chunk as Buffer);
    return this.hasRoom();
  }

  end(trailers: HeaderList | null): void {
    if (this.ended || this.failure !== null) throw new Error('ended twice');
    this.ended = true;
    this.trailers = trailers;
  }

  fail(error: ProxyError): void {
    if (this.ended || this.failure !== null) throw new Error('failed after the end');
    this.failure = error;
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString('latin1');
  }
}

/** A connection without a socket: what it writes is taken by `output`. */
export class TestOwner implements ConnectionOwner {
  readonly connection: Connection;
  readonly opens: {
    stream: Stream;
    log: StreamLog;
    method: string;
    path: string;
    headers: HeaderList;
    tooLarge: boolean;
  }[] = [];
  failure: unknown = null;
  goAways: number[] = [];
  pongs = 0;
  /** Whether bytes are taken before a turn's end, and how the socket is then; and how many were. */
  socket: 'gathers' | 'takes' | 'full' = 'gathers';
  early = 0;
  settingsCount = 0;
  onOpened: (stream: Stream, log: StreamLog, fields: HeadCollector) => void = (stream, log) =>
    stream.incoming.start(log);

  constructor(role: 'client' | 'server', settings: Partial<OwnSettings> = {}) {
    this.connection = new Connection(this, {
      role,
      own: { ...own, ...settings },
      flood: { frameBurst: 2_000, framesPerSecond: 100, resetBurst: 1_000, resetsPerSecond: 33 },
      encoder: new HpackEncoder(),
      texts: new TextCache(),
    });
    this.connection.begin();
  }

  wantsFlush(): void {}

  mayFlush(): void {
    if (this.socket === 'gathers') return;
    this.early += this.connection.writer.length;
    this.connection.writer.take();
    this.connection.wrote(this.socket === 'full');
  }

  settingsReceived(): void {
    this.settingsCount++;
  }

  opened(stream: Stream, head: HeadCollector): void {
    const log = new StreamLog();
    log.stream = stream;
    stream.observe(log);
    this.opens.push({
      stream,
      log,
      method: head.method,
      path: head.path,
      headers: head.headers,
      tooLarge: head.tooLarge,
    });
    this.onOpened(stream, log, head);
  }

  streamEnded(): void {}

  goAwayReceived(code: number): void {
    this.goAways.push(code);
  }

  pingAcknowledged(): void {
    this.pongs++;
  }

  failed(error: unknown): void {
    this.failure = error;
  }

  faultOf(error: Http2Error): ProxyError {
    return new ProxyError(error.reason === 'internal' ? 'internal' : 'upstream_reset', error);
  }

  output(): Buffer {
    const bytes = Buffer.concat(this.connection.writer.take());
    this.connection.writer.recycle();
    this.connection.flushed(false);
    return bytes;
  }

  receive(bytes: Buffer): void {
    this.connection.receive(bytes, 0, bytes.length, true);
  }

  request(path: string, body: BodySource | null, headers: HeaderList = []): StreamLog {
    const log = new StreamLog();
    const fields = { method: body === null ? 'GET' : 'POST', target: path, authority: 'a', headers };
    log.stream = this.connection.open(fields, 'http', body === null ? 0 : body.length, log);
    if (body !== null) log.stream.send(body);
    return log;
  }
}

export interface SeenFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** The frames of a byte stream. */
export function framesOf(bytes: Buffer): SeenFrame[] {
  const frames: SeenFrame[] = [];
  const reader = new FrameReader({
    stopped: false,
    data: (streamId, buffer, start, end, _flow, last) =>
      frames.push({ type: 0, flags: last ? 1 : 0, streamId, payload: Buffer.from(buffer.subarray(start, end)) }),
    frame: (type, flags, streamId, buffer, start, end) =>
      frames.push({ type, flags, streamId, payload: Buffer.from(buffer.subarray(start, end)) }),
  });
  reader.read(bytes, 0, bytes.length);
  return frames;
}

export function frame(type: number, flags: number, streamId: number, payload: Buffer | string = ''): Buffer {
  const bytes = typeof payload === 'string' ? Buffer.from(payload, 'hex') : payload;
  const head = Buffer.alloc(9);
  head.writeUIntBE(bytes.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, bytes]);
}

/** Field lines as literals without indexing. */
export function block(...fields: (readonly [string, string])[]): Buffer {
  const encoder = new HpackEncoder();
  const out = Buffer.alloc(fields.reduce((sum, [name, value]) => sum + name.length + value.length + 16, 0));
  let at = 0;
  for (const [name, value] of fields) at = encoder.field(out, at, name, value);
  return out.subarray(0, at);
}
