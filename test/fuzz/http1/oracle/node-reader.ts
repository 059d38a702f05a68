import { METHODS } from 'node:http';
import { newMessage, type Message, type Reading } from './reading.js';

/** The parser of node:http (llhttp) as far as it is used here. */
interface NativeParser {
  initialize(type: number, resource: object, maxHeaderSize: number, lenientFlags: number): void;
  execute(bytes: Buffer): number | (Error & { code: string });
  finish(): undefined | (Error & { code: string });
  [callback: number]: (...args: never[]) => number | void;
}

interface NativeParserClass {
  new (): NativeParser;
  readonly REQUEST: number;
  readonly RESPONSE: number;
  readonly kOnHeaders: number;
  readonly kOnHeadersComplete: number;
  readonly kOnBody: number;
  readonly kOnMessageComplete: number;
  readonly kLenientNone: number;
}

const maxHeaderSize = 16_384;

/** Reads bytes as a server or a client of node:http does when it is not told to be lenient. */
export class NodeReader {
  readonly #types: NativeParserClass;
  readonly #parser: NativeParser;
  /** The parser tells methods as numbers, and its list of them is not to be had. */
  readonly #methods = new Map<number, string>();
  #messages: Message[] = [];
  #message: Message = newMessage();
  /** Fields and target that came before the end of their head: a parser holds 32 at a time. */
  #fields: string[] = [];
  #target = '';
  #methodNumber = -1;
  #answersHead = false;
  #upgraded = false;

  constructor() {
    this.#types = (process.getBuiltinModule('_http_common') as { HTTPParser: NativeParserClass }).HTTPParser;
    this.#parser = new this.#types();
    this.#listen();
    for (const method of METHODS) {
      this.requests(`${method} ${method === 'CONNECT' ? 'a:80' : '/'} HTTP/1.1\r\nHost: a\r\n\r\n`);
      this.#methods.set(this.#methodNumber, method);
    }
  }

  requests(text: string): Reading {
    return this.#read(this.#types.REQUEST, text, false);
  }

  /** `ended`: the peer has closed the connection in good order, which may be a body's end. */
  responses(text: string, answersHead: boolean, ended: boolean): Reading {
    const reading = this.#read(this.#types.RESPONSE, text, answersHead);
    if (ended && reading.refused === null && this.#parser.finish() instanceof Error) reading.refused = 'cut off';
    return reading;
  }

  #read(type: number, text: string, answersHead: boolean): Reading {
    this.#messages = [];
    this.#fields = [];
    this.#target = '';
    this.#answersHead = answersHead;
    this.#upgraded = false;
    this.#parser.initialize(type, {}, maxHeaderSize, this.#types.kLenientNone);
    const bytes = Buffer.from(text, 'latin1');
    const result = this.#parser.execute(bytes);
    const beyondUpgrade =
      this.#upgraded && typeof result === 'number' && result < bytes.length ? 'bytes behind an upgrade' : null;
    return { messages: this.#messages, refused: typeof result === 'number' ? beyondUpgrade : result.code };
  }

  #listen(): void {
    const parser = this.#parser;
    const { kOnHeaders, kOnHeadersComplete, kOnBody, kOnMessageComplete } = this.#types;
    parser[kOnHeaders] = (fields: string[], target: string) => {
      this.#fields.push(...fields);
      this.#target += target;
    };
    parser[kOnHeadersComplete] = (
      _major: number,
      _minor: number,
      fields: string[] | undefined,
      method: number,
      target: string | undefined,
      status: number,
      _reason: string,
      upgrade: boolean,
      persists: boolean,
    ) => {
      this.#methodNumber = method;
      this.#upgraded ||= upgrade;
      return this.#onHead(fields, target, method, status, persists);
    };
    parser[kOnBody] = (bytes: Buffer) => void (this.#message.body += bytes.toString('latin1'));
    parser[kOnMessageComplete] = () => {
      this.#message.complete = true;
      this.#message.trailers = this.#fields;
      // Trailers come with the target of their request once more.
      this.#fields = [];
      this.#target = '';
    };
  }

  #onHead(
    fields: string[] | undefined,
    target: string | undefined,
    method: number,
    status: number | undefined,
    persists: boolean,
  ): number {
    this.#message = {
      ...newMessage(),
      method: this.#methods.get(method) ?? '',
      target: target ?? this.#target,
      status: status ?? 0,
      fields: fields ?? this.#fields,
      persists,
    };
    this.#fields = [];
    this.#target = '';
    this.#messages.push(this.#message);
    return this.#answersHead && this.#message.status >= 200 ? 1 : 0;
  }
}
