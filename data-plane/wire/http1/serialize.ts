import {
  FieldLines,
  isHeader,
  safeFields,
  type FieldBlock,
  type HeaderList,
  type MessageFields,
} from '../../headers.js';

const notInTarget = /[^\x21-\x7e]/;
/** What a serialised list of fields holds that its writer must know of. */
export interface FieldsWritten {
  readonly text: string;
  readonly hasDate: boolean;
  /** A Content-Length that the list had, or null. It is not in the text. */
  readonly contentLength: string | null;
  /** The text has the Content-Length that was asked for. */
  readonly hasLength: boolean;
  readonly hasTrailersOffer: boolean;
  /** The list had `Connection: Upgrade`, as an answer has that asks for another protocol. */
  readonly hasUpgradeOption: boolean;
}

/**
 * Field lines as text, after the start line `start`. Host, Connection, Keep-Alive, Content-Length and Transfer-Encoding are left
 * out: whoever sends the message writes those. Nothing in `headers` may end a line: the parsers see to that, and whoever makes a
 * field of anything else asks `safeFields`.
 */
export function writeFields(start: string, headers: HeaderList): FieldsWritten {
  let text = start;
  let hasDate = false;
  let contentLength: string | null = null;
  let hasTrailersOffer = false;
  let hasUpgradeOption = false;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    switch (name.length) {
      case 2:
        if (isHeader(name, 'te')) hasTrailersOffer = true;
        break;
      case 4:
        if (isHeader(name, 'host')) continue;
        if (isHeader(name, 'date')) hasDate = true;
        break;
      case 10:
        if (isHeader(name, 'keep-alive')) continue;
        if (!isHeader(name, 'connection')) break;
        hasUpgradeOption ||= isHeader(headers[i + 1] as string, 'upgrade');
        continue;
      case 14:
        if (!isHeader(name, 'content-length')) break;
        contentLength = headers[i + 1] as string;
        continue;
      case 17:
        if (isHeader(name, 'transfer-encoding')) continue;
        break;
    }
    // A sixth faster than a template.
    text = text + name + ': ' + (headers[i + 1] as string) + '\r\n';
  }
  return { text, hasDate, contentLength, hasLength: false, hasTrailersOffer, hasUpgradeOption };
}

/** The same for fields that may be lines; a Content-Length among those stays if it is `length`, that of the body. */
export function writeMessageFields(start: string, fields: MessageFields, length: number | null): FieldsWritten {
  if (!(fields instanceof FieldLines)) return writeFields(start, fields);
  const { text, hasDate, contentLength } = fields;
  const hasLength = contentLength >= 0;
  if (hasLength && contentLength !== length) return writeFields(start, fields.list);
  return {
    text: start + text,
    hasDate,
    contentLength: null,
    hasLength,
    hasTrailersOffer: false,
    hasUpgradeOption: false,
  };
}

/** The rest of a head: `added` behind what is written, then `lines` of who sends it, mostly none, and the empty line. */
export function endHead(text: string, added: FieldBlock | undefined, lines: string): string {
  if (added === undefined) return `${text}${lines}\r\n`;
  return lines === '' ? text + added.lastText : `${text}${added.text}${lines}\r\n`;
}

/** Trailer fields may say nothing about framing, routing or the connection (RFC 9110 section 6.5.1). */
export function writeTrailers(trailers: HeaderList): string {
  const allowed: HeaderList = [];
  for (let i = 0; i < trailers.length; i += 2) {
    const name = trailers[i] as string;
    if (!notInTrailers.has(name.toLowerCase())) allowed.push(name, trailers[i + 1] as string);
  }
  return writeFields('', safeFields(allowed)).text;
}

const notInTrailers: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'content-length',
  'host',
  'te',
  'trailer',
  'upgrade',
  'expect',
  'authorization',
  'proxy-authorization',
  'set-cookie',
  'content-encoding',
  'content-type',
  'content-range',
  'location',
  // A service that merges trailers into its fields would take them for the gateway's word, or for a session.
  'cookie',
  'forwarded',
  'via',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-prefix',
  'x-forwarded-proto',
  'x-real-ip',
  'x-request-id',
]);

/** A request target that comes out of rewrite rules: what cannot stand in a request line is percent-encoded as UTF-8. */
export function safeTarget(target: string): string {
  return notInTarget.test(target)
    ? target.replace(/[^\x21-\x7e]+/gu, (part) => encodeURIComponent(part.replace(/\p{Surrogate}/gu, '\ufffd')))
    : target;
}

export function isSafeAuthority(authority: string): boolean {
  return !notInTarget.test(authority);
}

/** The start of a chunk; its data and CRLF follow. */
export function chunkStart(length: number): string {
  return `${length.toString(16)}\r\n`;
}

/** The end of a chunked body. */
export function chunkedEnd(trailers: HeaderList | null): string {
  return trailers === null ? '0\r\n\r\n' : `0\r\n${writeTrailers(trailers)}\r\n`;
}

const reasons: Record<number, string> = {
  100: 'Continue',
  101: 'Switching Protocols',
  102: 'Processing',
  103: 'Early Hints',
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  203: 'Non-Authoritative Information',
  204: 'No Content',
  205: 'Reset Content',
  206: 'Partial Content',
  207: 'Multi-Status',
  208: 'Already Reported',
  226: 'IM Used',
  300: 'Multiple Choices',
  301: 'Moved Permanently',
  302: 'Found',
  303: 'See Other',
  304: 'Not Modified',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  402: 'Payment Required',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  407: 'Proxy Authentication Required',
  408: 'Request Timeout',
  409: 'Conflict',
  410: 'Gone',
  411: 'Length Required',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  414: 'URI Too Long',
  415: 'Unsupported Media Type',
  416: 'Range Not Satisfiable',
  417: 'Expectation Failed',
  421: 'Misdirected Request',
  422: 'Unprocessable Content',
  423: 'Locked',
  424: 'Failed Dependency',
  425: 'Too Early',
  426: 'Upgrade Required',
  428: 'Precondition Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  451: 'Unavailable For Legal Reasons',
  499: 'Client Closed Request',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
  506: 'Variant Also Negotiates',
  507: 'Insufficient Storage',
  508: 'Loop Detected',
  511: 'Network Authentication Required',
};

/** Status lines by status, made once. Upstreams' own reason phrases are not kept: they mean nothing (RFC 9112 section 4). */
const statusLines: readonly string[] = Array.from(
  { length: 1000 },
  (_, status) => `HTTP/1.1 ${status} ${reasons[status] ?? ''}\r\n`,
);

export function statusLine(status: number): string {
  return statusLines[status] ?? (statusLines[500] as string);
}
