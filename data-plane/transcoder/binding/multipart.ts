import { Buffer } from 'node:buffer';
import { ProxyError } from '../../errors.js';

/** One part of a multipart/form-data body (RFC 7578). `data` is a part of the body, not a copy. */
export interface Part {
  readonly name: string;
  /** '' when the part has none. */
  readonly contentType: string;
  readonly data: Uint8Array;
}

const maxParts = 1_000;
const maxHeaderBytes = 8_192;
const crlf = Buffer.from('\r\n');
const headerEnd = Buffer.from('\r\n\r\n');

export function isMultipart(contentType: string): boolean {
  // Nearly every type begins with another letter.
  if ((contentType.charCodeAt(0) | 0x20) !== 0x6d) return false;
  return contentType.slice(0, multipartType.length).toLowerCase() === multipartType;
}

const multipartType = 'multipart/form-data';

/** The parts of a body that is wholly there. Throws bad_argument when it is no such body. */
export function readParts(body: Uint8Array, contentType: string): Part[] {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length);
  const delimiter = Buffer.from(`--${boundaryOf(contentType)}`);
  const parts: Part[] = [];
  let at = delimiterAt(bytes, delimiter, 0);
  for (;;) {
    if (at < 0) throw malformed(parts.length, 'has no boundary at its end');
    at += delimiter.length;
    if (bytes[at] === 0x2d && bytes[at + 1] === 0x2d) return parts;
    const start = endOfLine(bytes, at);
    if (start < 0) throw malformed(parts.length, 'has a boundary that goes on');
    const end = delimiterAt(bytes, delimiter, start);
    if (end < 0) throw malformed(parts.length, 'has no boundary at its end');
    if (parts.length === maxParts) throw malformed(parts.length, `is one of more than ${maxParts}`);
    parts.push(readPart(bytes.subarray(start, Math.max(start, end - crlf.length)), parts.length));
    at = end;
  }
}

function boundaryOf(contentType: string): string {
  const boundary = /;\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(contentType);
  const text = boundary?.[1] ?? boundary?.[2];
  if (text === undefined) throw badBody('', 'the Content-Type has no boundary of 1 to 70 characters');
  return text;
}

/** A delimiter stands at the beginning of a line. */
function delimiterAt(bytes: Buffer, delimiter: Buffer, from: number): number {
  for (let at = bytes.indexOf(delimiter, from); at >= 0; at = bytes.indexOf(delimiter, at + 1)) {
    if (at === 0 || (bytes[at - 1] === 0x0a && bytes[at - 2] === 0x0d)) return at;
  }
  return -1;
}

/** Behind the blanks and the line end that follow a delimiter; -1 when something else does. */
function endOfLine(bytes: Buffer, from: number): number {
  let at = from;
  while (bytes[at] === 0x20 || bytes[at] === 0x09) at++;
  return bytes[at] === 0x0d && bytes[at + 1] === 0x0a ? at + 2 : -1;
}

function readPart(bytes: Buffer, index: number): Part {
  const hasNoHeader = bytes.subarray(0, 2).equals(crlf);
  const end = hasNoHeader ? 0 : bytes.subarray(0, maxHeaderBytes).indexOf(headerEnd);
  if (end < 0) throw malformed(index, 'has no end of its header');
  const header = bytes.subarray(0, end).toString('utf8');
  const disposition = fieldIn(header, 'content-disposition');
  const name = nameIn(disposition);
  if (name === undefined) throw malformed(index, 'has no name');
  const data = bytes.subarray(end + (hasNoHeader ? crlf.length : headerEnd.length));
  return { name, contentType: fieldIn(header, 'content-type'), data };
}

function fieldIn(header: string, lowerName: string): string {
  for (const line of header.split('\r\n')) {
    const colon = line.indexOf(':');
    if (line.slice(0, colon).toLowerCase() === lowerName) return line.slice(colon + 1).trim();
  }
  return '';
}

/** Browsers write a quote as %22 and a line end as %0D%0A (HTML, section 4.10.22.7); others use backslashes. */
function nameIn(disposition: string): string | undefined {
  const found = /;\s*name=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))/i.exec(disposition);
  const text = found?.[1]?.replace(/\\(.)/g, '$1') ?? found?.[2];
  return text?.replace(/%22/g, '"').replace(/%0D/gi, '\r').replace(/%0A/gi, '\n');
}

function malformed(index: number, description: string): ProxyError {
  return badBody(`part ${index + 1}`, description);
}

function badBody(field: string, description: string): ProxyError {
  return new ProxyError('bad_argument', undefined, { violations: [{ field, description }] });
}
