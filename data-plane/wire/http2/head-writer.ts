import { fieldList, type FieldBlock, type HeaderList, type MessageFields } from '../../headers.js';
import { fieldBound, type HpackEncoder, writeIndexed, writeNamed, writeNoTable } from '../hpack/hpack.js';
import type { FrameWriter } from './writer.js';

/** Fields of HTTP/1 connections and framing, which an encoder for HTTP/2 is to omit (RFC 9113 section 8.2.2). */
export const connectionFields: ReadonlySet<string> = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'content-length',
]);

/** A request ready to be written. `headers` hold nothing that belongs to one connection, and no Content-Length. */
export interface RequestFields {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly authority: string;
  readonly headers: MessageFields;
  /** Written behind `headers`. */
  readonly added?: FieldBlock | undefined;
}

/** A response ready to be written, on the same terms. */
export interface ResponseFields {
  readonly headers: HeaderList;
  /** Written behind `headers`. */
  readonly added?: FieldBlock | undefined;
  /** Written last. */
  readonly date?: FieldBlock | undefined;
  readonly contentLength?: number | undefined;
}

/** RFC 7541 appendix A. */
const staticIndex = { get: 2, post: 3, root: 4, http: 6, https: 7, status: 8, contentLength: 28 } as const;
const staticStatus: ReadonlyMap<number, number> = new Map([
  [200, 8],
  [204, 9],
  [206, 10],
  [304, 11],
  [400, 12],
  [404, 13],
  [500, 14],
]);
const spareBytes = 32;
const nothing = new Uint8Array(0);

/** Writes the field blocks of one connection. The encoder may be shared; that the table is unused is said once for each. */
export class HeadWriter {
  readonly #encoder: HpackEncoder;
  readonly #writer: FrameWriter;
  #tableDeclined = false;

  constructor(writer: FrameWriter, encoder: HpackEncoder) {
    this.#writer = writer;
    this.#encoder = encoder;
  }

  /** `contentLength` is left out when it is negative. */
  request(
    streamId: number,
    request: RequestFields,
    scheme: 'http' | 'https',
    contentLength: number,
    last: boolean,
    maxFrameBytes: number,
  ): void {
    const { method, target, authority } = request;
    const headers = fieldList(request.headers);
    const added = this.#coded(request.added);
    const bound =
      boundOf(headers) +
      added.length +
      fieldBound(':method', method) +
      fieldBound(':path', target) +
      fieldBound(':authority', authority);
    let at = this.#begin(bound);
    const out = this.#writer.blockBuffer;
    if (method === 'POST') at = writeIndexed(out, at, staticIndex.post);
    else if (method === 'GET') at = writeIndexed(out, at, staticIndex.get);
    else at = this.#encoder.field(out, at, ':method', method);
    at = writeIndexed(out, at, scheme === 'http' ? staticIndex.http : staticIndex.https);
    at = target === '/' ? writeIndexed(out, at, staticIndex.root) : this.#encoder.field(out, at, ':path', target);
    if (authority !== '') at = this.#encoder.field(out, at, ':authority', authority);
    at = this.#fields(out, at, headers, contentLength);
    out.set(added, at);
    this.#writer.endBlock(streamId, last, at + added.length, maxFrameBytes);
  }

  response(
    streamId: number,
    status: number,
    { headers, added, date, contentLength = -1 }: ResponseFields,
    last: boolean,
    maxFrameBytes: number,
  ): void {
    const addedCoded = this.#coded(added);
    const dateCoded = this.#coded(date);
    let at = this.#begin(boundOf(headers) + addedCoded.length + dateCoded.length);
    const out = this.#writer.blockBuffer;
    const index = staticStatus.get(status);
    if (index !== undefined) at = writeIndexed(out, at, index);
    else at = writeNamed(out, at, staticIndex.status, String(status));
    at = this.#fields(out, at, headers, contentLength);
    out.set(addedCoded, at);
    at += addedCoded.length;
    out.set(dateCoded, at);
    this.#writer.endBlock(streamId, last, at + dateCoded.length, maxFrameBytes);
  }

  trailers(streamId: number, trailers: HeaderList, maxFrameBytes: number): void {
    const start = this.#begin(boundOf(trailers));
    const at = this.#fields(this.#writer.blockBuffer, start, trailers, -1);
    this.#writer.endBlock(streamId, true, at, maxFrameBytes);
  }

  #coded(block: FieldBlock | undefined): Uint8Array {
    return block === undefined ? nothing : this.#encoder.coded(block);
  }

  #begin(bound: number): number {
    const at = this.#writer.beginBlock(bound + spareBytes);
    if (this.#tableDeclined) return at;
    this.#tableDeclined = true;
    return writeNoTable(this.#writer.blockBuffer, at);
  }

  #fields(out: Buffer, from: number, headers: HeaderList, contentLength: number): number {
    let at = from;
    for (let i = 0; i < headers.length; i += 2) {
      at = this.#encoder.field(out, at, headers[i] as string, headers[i + 1] as string);
    }
    return contentLength < 0 ? at : writeNamed(out, at, staticIndex.contentLength, String(contentLength));
  }
}

function boundOf(headers: HeaderList): number {
  let bound = spareBytes;
  for (let i = 0; i < headers.length; i += 2) bound += fieldBound(headers[i] as string, headers[i + 1] as string);
  return bound;
}
