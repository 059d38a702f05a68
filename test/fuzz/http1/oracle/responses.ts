import { cut } from '../generate/cuts.js';
import { Random } from '../generate/random.js';
import type { Answer, MemoryGateway, Run } from '../memory/gateway.js';
import type { SocketHabits } from '../memory/socket.js';
import { readCanonical, valuesOf } from './canonical.js';
import { endToEnd, writtenToClient } from './end-to-end.js';
import { readWithEngine } from './engine-reader.js';
import { isExcused } from './excused.js';
import type { NodeReader } from './node-reader.js';
import { show, type Message, type Reading } from './reading.js';
import { differentInPieces, differentMessages, type Difference, type Verdict } from './verdict.js';

/** What the client asks first; the service's bytes are the answer. */
const requests: readonly string[] = [
  'GET /first HTTP/1.1\r\nHost: a\r\n\r\n',
  'GET /first HTTP/1.1\r\nHost: a\r\n\r\n',
  'HEAD /first HTTP/1.1\r\nHost: a\r\n\r\n',
  'POST /first HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi',
  'GET /first HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n',
  'GET /first HTTP/1.0\r\n\r\n',
  'GET /first HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
  'GET /first HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
];
/** What it asks next, on the same connection: no byte of the first answer may be taken for the second. */
const secondRequest = 'GET /second HTTP/1.1\r\nHost: a\r\n\r\n';
const endings = ['ends', 'ends', 'resets'] as const;
const clean = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nclean';

interface Received {
  readonly message: Message;
  readonly wire: string;
}

/** Judges what a service answers. `seed` decides what was asked, how the bytes are cut and how sockets behave. */
export class ResponseOracle {
  readonly #gateway: MemoryGateway;
  readonly #node: NodeReader;
  readonly #scratch = Buffer.alloc(16_384);

  constructor(gateway: MemoryGateway, node: NodeReader) {
    this.#gateway = gateway;
    this.#node = node;
  }

  judge(text: string, seed: number): Verdict {
    const random = new Random(seed);
    const asked = random.pick(requests);
    const bytes = Buffer.from(text, 'latin1');
    const pieces = cut(random, bytes);
    const isHead = asked.startsWith('HEAD');
    const after = random.pick(endings);
    const ended = after !== 'resets';
    const ours = firstAnswer(readWithEngine('response', [bytes], isHead, ended));
    const theirs = firstAnswer(this.#node.responses(text, isHead, ended));
    const whole = this.#answer(asked, [bytes], after, { scratch: this.#scratch, stalls: () => false });
    const parts = this.#answer(asked, pieces, after, {
      scratch: random.chance(0.5) ? this.#scratch : null,
      stalls: () => random.chance(0.2),
    });
    const difference =
      differentInPieces(ours, firstAnswer(readWithEngine('response', pieces, isHead, ended))) ??
      this.#check(whole, asked, ours, text) ??
      this.#check(parts, asked, ours, text) ??
      compareReadings(ours, theirs);
    return {
      difference,
      forwarded: finalAnswer(whole, isHead),
      signature: `${last(ours)?.status} ${ours.refused} ${last(theirs)?.status} ${theirs.refused} ${whole.clientCut}`,
    };
  }

  #answer(asked: string, pieces: readonly Buffer[], after: Answer['after'], habits: SocketHabits): Run {
    return this.#gateway.run({
      requests: [Buffer.from(asked + secondRequest, 'latin1')],
      habits,
      answer: (index) => (index === 0 ? { pieces, after } : { pieces: [Buffer.from(clean)], after: 'keeps' }),
    });
  }

  #check(run: Run, asked: string, ours: Reading, text: string): Difference | null {
    if (run.faults.length > 0) return { rule: 'a connection ends when its client does', detail: run.faults.join('; ') };
    const { received, rest, fault } = splitAnswers(run, asked.startsWith('HEAD'));
    if (fault !== null)
      return { rule: 'what the client gets is canonical', detail: `${show(fault)} in ${show(run.answers)}` };
    const finals = received.filter(({ message }) => message.status >= 200 || message.status === 101);
    const [first, second] = finals;
    if (first === undefined)
      return run.clientCut || ours.refused === null
        ? null
        : { rule: 'the client is answered or cut off', detail: show(run.answers) };
    if (first.message.status === 101) return checkTunnel(run, asked, ours, rest, text);
    if (finals.length > 2 || rest !== '') return { rule: 'one answer to one request', detail: show(run.answers) };
    const changed = changedOnTheWay(first.message, ours, run);
    if (changed !== null)
      return { rule: 'the client gets what the service sent', detail: `${changed}: ${show(run.answers)}` };
    if (second !== undefined && second.message.body !== 'clean')
      return { rule: 'an answer holds nothing of the one before', detail: show(run.answers) };
    return this.#misread(received, asked.startsWith('HEAD'), run);
  }

  /** Node as the client reads each answer as it was meant. */
  #misread(received: readonly Received[], isHead: boolean, run: Run): Difference | null {
    for (const [i, { message, wire }] of received.entries()) {
      const answersHead = isHead && received.findIndex((each) => each.message.status >= 200) === i;
      const reading = this.#node.responses(wire, answersHead, !run.clientCut);
      const [theirs] = reading.messages;
      if (!message.complete && run.clientCut) continue;
      const wrong =
        reading.refused ??
        (theirs === undefined || reading.messages.length > 1
          ? `${reading.messages.length} answers`
          : differentMessages(message, theirs));
      if (wrong !== null)
        return { rule: 'node reads what the client gets as we do', detail: `${wrong}: ${show(wire)}` };
    }
    return null;
  }
}

/** Up to the answer that is not interim. What comes behind it answers nothing. */
function firstAnswer({ messages, refused }: Reading): Reading {
  const at = messages.findIndex(({ status }) => status >= 200 || status === 101);
  if (at < 0) return { messages, refused };
  const answer = messages[at] as Message;
  return { messages: messages.slice(0, at + 1), refused: answer.complete ? null : refused };
}

function last({ messages }: Reading): Message | undefined {
  return messages.at(-1);
}

/** All that a client received, message by message; `rest` is what comes behind a switch of protocols. */
function splitAnswers(
  { answers, clientCut }: Run,
  isHead: boolean,
): { readonly received: readonly Received[]; readonly rest: string; readonly fault: string | null } {
  const received: Received[] = [];
  let text = answers;
  let answersHead = isHead;
  while (text !== '') {
    const { message, rest, fault } = readCanonical('response', text, answersHead);
    if (fault !== null) return { received, rest, fault };
    if (message.status === 0) return { received, rest: '', fault: `not an answer ${text}` };
    if (clientCut && rest === '' && !isFramed(message)) message.complete = false;
    received.push({ message, wire: text.slice(0, text.length - rest.length) });
    if (message.status >= 200) answersHead = false;
    text = rest;
    if (message.status === 101) break;
  }
  return { received, rest: text, fault: null };
}

/** The first answer that is whole and not interim. */
function finalAnswer(run: Run, isHead: boolean): Verdict['forwarded'] {
  const final = splitAnswers(run, isHead).received.find(({ message }) => message.status >= 200);
  return final?.message.complete === true ? [{ message: 0, wire: final.wire, isHead }] : [];
}

/** Whether something other than the end of the connection ends it. */
function isFramed({ status, fields }: Message): boolean {
  return (
    status < 200 ||
    status === 204 ||
    status === 304 ||
    valuesOf(fields, 'content-length').length + valuesOf(fields, 'transfer-encoding').length > 0
  );
}

/** After a switch that was asked for and granted, bytes pass as they are, both ways. */
function checkTunnel(run: Run, asked: string, ours: Reading, rest: string, text: string): Difference | null {
  const granted = last(ours);
  if (!asked.includes('Upgrade') || granted?.status !== 101)
    return { rule: 'an upgrade is asked for and granted', detail: show(run.answers) };
  const sent = run.calls[0]?.wire ?? '';
  if (!text.endsWith(`\r\n\r\n${rest}`))
    return { rule: 'a tunnel passes bytes on', detail: `${show(rest)} of ${show(text)}` };
  return sent.endsWith(`\r\n\r\n${secondRequest}`) ? null : { rule: 'a tunnel passes bytes on', detail: show(sent) };
}

/** The answer is the service's, or the gateway's own word that there is none; one that broke off is never made whole. */
function changedOnTheWay(got: Message, ours: Reading, run: Run): string | null {
  const sent = last(ours);
  const isGateways = valuesOf(got.fields, 'x-sluice-error').some((kind) => kind.startsWith('upstream_'));
  if (isGateways) return sent?.complete === true && sent.status >= 200 ? 'a whole answer is refused' : null;
  if (sent === undefined || sent.status < 200) return 'an answer that nobody gave';
  if (got.status !== sent.status) return 'status';
  const fields = [endToEnd(sent.fields, writtenToClient), endToEnd(got.fields, writtenToClient)];
  if (JSON.stringify(fields[0]) !== JSON.stringify(fields[1])) return `fields ${JSON.stringify(fields)}`;
  if (!sent.complete) return got.complete && !run.clientCut ? 'an answer that broke off has an end' : null;
  if (!got.complete) return 'a whole answer breaks off';
  return got.body === sent.body ? null : 'body';
}

/** Node as a client of the service reads the same answer, and refuses none that we pass on, but for what is excused by name. */
function compareReadings(ours: Reading, theirs: Reading): Difference | null {
  const [mine, other] = [last(ours), last(theirs)];
  if (mine === undefined || mine.status < 200 || !mine.complete) return null;
  if (theirs.refused !== null) {
    if (isExcused(mine, theirs.refused) || closesTooSoon(theirs)) return null;
    return {
      rule: 'what node refuses of a service is not passed on',
      detail: `${theirs.refused}; ours is ${JSON.stringify(mine)}`,
    };
  }
  const different = other === undefined ? 'no answer' : differentMessages(mine, other);
  return different === null
    ? null
    : { rule: 'node reads the same answer', detail: `${different}; ours is ${JSON.stringify(mine)}` };
}

/** RFC 9112 section 9.6: `close` is about the connection after the final answer; node takes an interim one for the last already. */
function closesTooSoon(theirs: Reading): boolean {
  const interim = last(theirs);
  return (
    theirs.refused === 'HPE_CLOSED_CONNECTION' && interim !== undefined && interim.status < 200 && !interim.persists
  );
}
