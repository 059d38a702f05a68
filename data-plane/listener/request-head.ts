import type { RequestHead } from '../exchange.js';
import { fieldsOf, type FieldLines, type HeaderList } from '../headers.js';
import type { MessageHead } from '../wire/http1/http1.js';

/** The head of a request over HTTP/1; its fields become a list only for who looks at them. */
export class Http1RequestHead implements RequestHead {
  readonly method: string;
  readonly target: string;
  readonly authority: string;
  readonly version: '1.0' | '1.1';
  readonly lines: FieldLines | null;
  readonly #came: string;
  #headers: HeaderList | null;

  /** `target` and `authority` are those of the request target that has been split. */
  constructor(message: MessageHead, target: string, authority: string) {
    this.method = message.method;
    this.target = target;
    this.authority = authority;
    this.version = message.minor === 1 ? '1.1' : '1.0';
    this.lines = message.lines;
    this.#came = message.cameLines;
    this.#headers = message.lines === null ? message.headers : null;
  }

  get headers(): HeaderList {
    return (this.#headers ??= fieldsOf(this.#came));
  }
}
