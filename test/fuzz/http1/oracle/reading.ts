/** One message as some parser understood it; text is latin1. */
export interface Message {
  /** '' in responses. */
  method: string;
  /** '' in responses. */
  target: string;
  /** 0 in requests. */
  status: number;
  /** Name, value, name, value, … */
  fields: string[];
  body: string;
  trailers: string[];
  /** The parser has seen its end. */
  complete: boolean;
  /** The connection carries another message after it. */
  persists: boolean;
}

/** All that a parser understood of one connection's bytes. */
export interface Reading {
  readonly messages: Message[];
  /** Why the parser stopped, or null. Bytes that just break off are not refused. */
  refused: string | null;
}

export function newMessage(): Message {
  return { method: '', target: '', status: 0, fields: [], body: '', trailers: [], complete: false, persists: true };
}

export function show(text: string): string {
  return JSON.stringify(text).replace(/[\x7f-\xff]/g, (char) => `\\x${char.charCodeAt(0).toString(16)}`);
}

/** Blanks and tabs off both ends, as RFC 9110 section 5.6.3 has it; `trim` takes more. */
export function withoutBlanks(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, '');
}
