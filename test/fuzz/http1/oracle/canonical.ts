import { newMessage, type Message } from './reading.js';

/**
 * Reads one message as RFC 9112 has it written and in no other way. Written apart from the engine, plainly and with regexes, to
 * judge what the gateway sends. `fault` says what is not canonical; a message that breaks off is no fault, but not complete.
 */
export function readCanonical(
  mode: 'request' | 'response',
  text: string,
  answersHead: boolean,
): { readonly message: Message; readonly rest: string; readonly fault: string | null } {
  const message = newMessage();
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd < 0) return { message, rest: '', fault: null };
  const [startLine = '', ...lines] = text.slice(0, headEnd).split('\r\n');
  const fault = mode === 'request' ? readRequestLine(startLine, message) : readStatusLine(startLine, message);
  const after = text.slice(headEnd + 4);
  const fieldFault =
    fault ?? readFields(lines, message.fields) ?? (mode === 'request' ? hostFault(message.fields) : null);
  if (fieldFault !== null) return { message, rest: after, fault: fieldFault };
  const bodyless =
    mode === 'response' && (answersHead || message.status < 200 || message.status === 204 || message.status === 304);
  if (bodyless) {
    message.complete = true;
    return { message, rest: after, fault: bodylessFault(message) };
  }
  return { message, ...readBody(mode, after, message) };
}

function readRequestLine(line: string, message: Message): string | null {
  const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\/[\x21\x22\x24-\x7e]*|\*) HTTP\/1\.1$/.exec(line);
  if (match === null) return `request line ${line}`;
  message.method = match[1] as string;
  message.target = match[2] as string;
  return message.target === '*' && message.method !== 'OPTIONS' ? 'asterisk form' : null;
}

function readStatusLine(line: string, message: Message): string | null {
  const match = /^HTTP\/1\.1 ([1-9]\d\d) [\x20-\x7e]*$/.exec(line);
  if (match === null) return `status line ${line}`;
  message.status = Number(match[1]);
  return null;
}

function readFields(lines: readonly string[], fields: string[]): string | null {
  for (const line of lines) {
    const match =
      /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ((?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)$/.exec(
        line,
      );
    if (match === null) return `field line ${line}`;
    fields.push(match[1] as string, match[2] as string);
  }
  return null;
}

function hostFault(fields: readonly string[]): string | null {
  const [host, ...others] = valuesOf(fields, 'host');
  if (host === undefined || others.length > 0) return `${others.length + (host === undefined ? 0 : 1)} Host fields`;
  return /^(?:[A-Za-z0-9._~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?$/.test(host) ? null : `Host ${host}`;
}

function bodylessFault({ status, fields }: Message): string | null {
  const framed = valuesOf(fields, 'content-length').length + valuesOf(fields, 'transfer-encoding').length;
  return (status < 200 || status === 204) && framed > 0 ? 'a framing field where none may be' : null;
}

function readBody(
  mode: 'request' | 'response',
  text: string,
  message: Message,
): { rest: string; fault: string | null } {
  const lengths = valuesOf(message.fields, 'content-length');
  const codings = valuesOf(message.fields, 'transfer-encoding');
  if (lengths.length + codings.length > 1) return { rest: text, fault: 'more than one framing field' };
  if (codings.length === 1)
    return codings[0] === 'chunked' ? readChunked(text, message) : { rest: text, fault: `coding ${codings[0]}` };
  if (lengths.length === 0 && mode === 'response') {
    // Until the connection ends; the caller knows how it ended.
    message.body = text;
    message.complete = true;
    return { rest: '', fault: null };
  }
  const length = lengths[0] ?? '0';
  if (!/^(?:0|[1-9]\d{0,14})$/.test(length)) return { rest: text, fault: `length ${length}` };
  message.body = text.slice(0, Number(length));
  message.complete = message.body.length === Number(length);
  return { rest: text.slice(Number(length)), fault: null };
}

function readChunked(text: string, message: Message): { rest: string; fault: string | null } {
  let at = 0;
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd < 0) return { rest: '', fault: null };
    const size = text.slice(at, lineEnd);
    if (!/^(?:0|[1-9a-f][0-9a-f]{0,7})$/.test(size)) return { rest: text.slice(at), fault: `chunk size ${size}` };
    at = lineEnd + 2;
    if (size === '0') return readTrailers(text.slice(at), message);
    const dataEnd = at + parseInt(size, 16);
    message.body += text.slice(at, dataEnd);
    if (text.length < dataEnd + 2) return { rest: '', fault: null };
    if (text.slice(dataEnd, dataEnd + 2) !== '\r\n') return { rest: text.slice(dataEnd), fault: 'end of a chunk' };
    at = dataEnd + 2;
  }
}

function readTrailers(text: string, message: Message): { rest: string; fault: string | null } {
  const section = text.startsWith('\r\n') ? '' : text.slice(0, Math.max(0, text.indexOf('\r\n\r\n') + 2));
  if (section === '' && !text.startsWith('\r\n')) return { rest: '', fault: null };
  const fault = readFields(section.split('\r\n').slice(0, -1), message.trailers) ?? trailerFault(message.trailers);
  message.complete = fault === null;
  return { rest: text.slice(section.length + 2), fault };
}

/** RFC 9110 section 6.5.1: what frames, routes or speaks of the connection cannot come behind. */
function trailerFault(trailers: readonly string[]): string | null {
  const misplaced = trailers.find((name, i) => i % 2 === 0 && notBehind.has(name.toLowerCase()));
  return misplaced === undefined ? null : `trailer ${misplaced}`;
}

const notBehind: ReadonlySet<string> = new Set([
  'content-length',
  'transfer-encoding',
  'host',
  'connection',
  'upgrade',
  'te',
  'trailer',
]);

export function valuesOf(fields: readonly string[], lowerName: string): string[] {
  return fields.filter((_, i) => i % 2 === 1 && (fields[i - 1] as string).toLowerCase() === lowerName);
}
