import { BACKSLASH, CR, EQUALS, hexValue, isTokenByte, isValueByte, LF, QUOTE, SEMICOLON } from './bytes.js';
import { malformed } from './violation.js';

export interface ChunkEvents {
  onBody(bytes: Buffer, start: number, end: number): void;
}

const maxSizeDigits = 12;
/** Extensions mean nothing to anybody; a few bytes are let pass. Counted over the whole body, so they cannot carry a flood. */
const maxExtensionBytes = 4_096;

/** Within an extension `;name=token` or `;name="text"`; `-start` is before the first byte of a part that may not be empty. */
type ExtensionStep = 'name-start' | 'name' | 'value-start' | 'token' | 'quoted' | 'escaped' | 'end';

type Step = 'size' | 'extension' | 'size-lf' | 'data' | 'data-cr' | 'data-lf' | 'trailers';

/**
 * Takes the chunked coding off (RFC 9112 section 7.1) as strictly as it is written: sizes without sign, blank or prefix, CRLF
 * only. Ends before the trailer section, which is read as field lines are.
 */
export class ChunkDecoder {
  #step: Step = 'size';
  #extension: ExtensionStep = 'name-start';
  #digits = 0;
  #left = 0;
  #extensionBytes = 0;

  reset(): void {
    this.#step = 'size';
    this.#digits = 0;
    this.#left = 0;
    this.#extensionBytes = 0;
  }

  /** All chunks have been read; what follows are trailer fields and an empty line. */
  get atTrailers(): boolean {
    return this.#step === 'trailers';
  }

  /** Returns the index of the first byte that it did not take: `end`, or the start of the trailer section. */
  feed(bytes: Buffer, start: number, end: number, events: ChunkEvents): number {
    let at = start;
    while (at < end) {
      switch (this.#step) {
        case 'size':
          this.#readSize(bytes[at++] as number);
          break;
        case 'extension':
          this.#readExtension(bytes[at++] as number);
          break;
        case 'size-lf':
          if (bytes[at++] !== LF) throw malformed('chunk size line');
          this.#step = this.#left === 0 ? 'trailers' : 'data';
          break;
        case 'data': {
          const stop = Math.min(end, at + this.#left);
          this.#left -= stop - at;
          if (this.#left === 0) this.#step = 'data-cr';
          events.onBody(bytes, at, stop);
          at = stop;
          break;
        }
        case 'data-cr':
          if (bytes[at++] !== CR) throw malformed('end of chunk');
          this.#step = 'data-lf';
          break;
        case 'data-lf':
          if (bytes[at++] !== LF) throw malformed('end of chunk');
          this.#step = 'size';
          this.#digits = 0;
          break;
        case 'trailers':
          return at;
      }
    }
    return at;
  }

  #readSize(byte: number): void {
    const digit = hexValue[byte] as number;
    if (digit !== 255) {
      if (++this.#digits > maxSizeDigits) throw malformed('chunk size');
      this.#left = this.#left * 16 + digit;
    } else if (this.#digits === 0) {
      throw malformed('chunk size');
    } else if (byte === CR) {
      this.#step = 'size-lf';
    } else if (byte === SEMICOLON) {
      this.#step = 'extension';
      this.#extension = 'name-start';
    } else {
      throw malformed('chunk size');
    }
  }

  /** RFC 9112 section 7.1.1 without its optional blanks, which others refuse. */
  #readExtension(byte: number): void {
    if (++this.#extensionBytes > maxExtensionBytes) throw malformed('chunk extension');
    const mayEnd = this.#extension === 'name' || this.#extension === 'token' || this.#extension === 'end';
    if (byte === CR && mayEnd) this.#step = 'size-lf';
    else if (byte === SEMICOLON && mayEnd) this.#extension = 'name-start';
    else this.#extension = nextExtensionStep(this.#extension, byte);
  }
}

function nextExtensionStep(step: ExtensionStep, byte: number): ExtensionStep {
  const token = isTokenByte[byte] === 1;
  switch (step) {
    case 'name-start':
      if (token) return 'name';
      break;
    case 'name':
      if (token) return 'name';
      if (byte === EQUALS) return 'value-start';
      break;
    case 'value-start':
      if (byte === QUOTE) return 'quoted';
      if (token) return 'token';
      break;
    case 'token':
      if (token) return 'token';
      break;
    case 'quoted':
      if (byte === QUOTE) return 'end';
      if (isValueByte[byte] === 1) return byte === BACKSLASH ? 'escaped' : 'quoted';
      break;
    case 'escaped':
      if (isValueByte[byte] === 1) return 'quoted';
      break;
    case 'end':
      break;
  }
  throw malformed('chunk extension');
}
