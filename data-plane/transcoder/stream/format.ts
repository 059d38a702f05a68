import type { Habits } from '../habits.js';

/** How the messages of a stream are put into a body (ST1). */
export interface StreamFormat {
  readonly contentType: string;
  /** What stands before the first message, between two, and behind the last. */
  readonly opening: string;
  readonly separator: string;
  readonly closing: string;
  /** What no reader takes for anything (ST14). */
  readonly heartbeat: string;
  readonly before: string;
  readonly after: string;
  /** What an error becomes that comes behind the first message; null breaks the body off, since nothing in it could tell (ST4). */
  readonly error: ((status: string) => string) | null;
  /** The body of an error before the first message (ST3). */
  readonly onlyError: (status: string) => string;
}

const plain = (status: string): string => status;
const wrapped = (status: string): string => `{"error":${status}}\n`;

/** `{"result":…}` a line, as grpc-gateway has it. */
const wrappedLines: StreamFormat = {
  contentType: 'application/json',
  opening: '',
  separator: '',
  closing: '',
  heartbeat: '\n',
  before: '{"result":',
  after: '}\n',
  error: wrapped,
  onlyError: wrapped,
};

const array: StreamFormat = {
  contentType: 'application/json',
  opening: '[',
  separator: ',',
  closing: ']',
  heartbeat: '\n',
  before: '',
  after: '',
  error: null,
  onlyError: plain,
};

const lines: StreamFormat = {
  contentType: 'application/x-ndjson',
  opening: '',
  separator: '',
  closing: '',
  heartbeat: '\n',
  before: '',
  after: '\n',
  error: wrapped,
  onlyError: plain,
};

const endEvent = 'event: end\ndata: {}\n\n';

const events: StreamFormat = {
  contentType: 'text/event-stream',
  opening: '',
  separator: '',
  closing: endEvent,
  heartbeat: ':\n\n',
  before: 'data: ',
  after: '\n\n',
  error: (status) => `event: error\ndata: ${status}\n\n${endEvent}`,
  onlyError: plain,
};

const byType: ReadonlyMap<string, StreamFormat> = new Map([
  ['text/event-stream', events],
  ['application/x-ndjson', lines],
  ['application/ndjson', { ...lines, contentType: 'application/ndjson' }],
  ['application/jsonl', { ...lines, contentType: 'application/jsonl' }],
]);

/** The format that Accept asks for most, or the route's. */
export function streamFormat(accept: string, { streamFormat: own }: Habits): StreamFormat {
  if (accept === '') return byHabit[own];
  let chosen: StreamFormat | undefined;
  let best = 0;
  for (const part of accept.split(',')) {
    const [name = '', ...parameters] = part.split(';').map((it) => it.trim().toLowerCase());
    const format = name === 'application/json' ? jsonFormat(own) : name === '*/*' ? byHabit[own] : byType.get(name);
    const quality = Number(parameters.find((it) => it.startsWith('q='))?.slice(2) ?? 1);
    if (format === undefined || !(quality > best)) continue;
    chosen = format;
    best = quality;
  }
  return chosen ?? byHabit[own];
}

const byHabit: Readonly<Record<Habits['streamFormat'], StreamFormat>> = { wrapped: wrappedLines, array, lines, events };

/** Lines and events have types of their own, so a client that wants JSON does not mean them. */
function jsonFormat(own: Habits['streamFormat']): StreamFormat {
  return own === 'array' ? array : wrappedLines;
}
