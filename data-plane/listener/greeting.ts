import { beginsHttp2 } from './http2/http2.js';

/** Of what is read to tell whether a first line is of HTTP. */
const longestFirstLine = 256;

/** What the first bytes of a connection say that it speaks; `more` when they are too few to tell. */
export type Spoken = 'http1' | 'http2' | 'more';

/** The first bytes of a connection, which show whether it speaks HTTP/2 by prior knowledge. */
export class Greeting {
  #bytes: Buffer | null = null;

  /** All that has come; the connection's to read, once it is told. */
  get bytes(): Buffer {
    return this.#bytes ?? nothing;
  }

  /** `bytes` may be written over after the call. */
  add(bytes: Buffer): Spoken {
    const all = this.#bytes === null ? bytes : Buffer.concat([this.#bytes, bytes]);
    const isHttp2 = beginsHttp2(all);
    this.#bytes = isHttp2 === 'more' ? Buffer.from(all) : all;
    if (isHttp2 === 'more') return 'more';
    return isHttp2 === 'no' ? 'http1' : 'http2';
  }

  /** The first line has as many words as a request line, but neither a target nor a version: no answer in HTTP/1 is waited for. */
  get isForeign(): boolean {
    const [line = ''] = this.bytes.toString('latin1', 0, longestFirstLine).split('\r\n', 1);
    return line.split(' ').length > 2 && !/[/:*]/.test(line);
  }
}

const nothing = Buffer.alloc(0);
