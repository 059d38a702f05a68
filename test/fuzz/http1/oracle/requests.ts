import { splitTarget } from '../../../../data-plane/wire/http1/http1.js';
import { cut } from '../generate/cuts.js';
import { Random } from '../generate/random.js';
import type { MemoryGateway, Run } from '../memory/gateway.js';
import type { SocketHabits } from '../memory/socket.js';
import { isExcused } from './excused.js';
import { readCanonical, valuesOf } from './canonical.js';
import { endToEnd, writtenToService } from './end-to-end.js';
import { readWithEngine } from './engine-reader.js';
import type { NodeReader } from './node-reader.js';
import { show, type Message, type Reading } from './reading.js';
import { differentInPieces, differentMessages, type Difference, type Verdict } from './verdict.js';

/** Judges what one client sends on one connection. `seed` decides how the bytes are cut and how sockets behave. */
export class RequestOracle {
  readonly #gateway: MemoryGateway;
  readonly #node: NodeReader;
  readonly #scratch = Buffer.alloc(16_384);

  constructor(gateway: MemoryGateway, node: NodeReader) {
    this.#gateway = gateway;
    this.#node = node;
  }

  judge(text: string, seed: number): Verdict {
    const random = new Random(seed);
    const bytes = Buffer.from(text, 'latin1');
    const pieces = cut(random, bytes);
    const ours = readWithEngine('request', [bytes], false, true);
    const theirs = this.#node.requests(text);
    const whole = this.#forward([bytes], { scratch: this.#scratch, stalls: () => false });
    const parts = this.#forward(pieces, {
      scratch: random.chance(0.5) ? this.#scratch : null,
      stalls: () => random.chance(0.2),
    });
    const difference =
      differentInPieces(ours, readWithEngine('request', pieces, false, true)) ??
      faultOf(whole) ??
      faultOf(parts) ??
      this.#checkForwarded(whole, ours) ??
      this.#checkForwarded(parts, ours) ??
      differentForwards(whole, parts) ??
      compareReadings(ours, theirs, whole);
    return {
      difference,
      forwarded: whole.calls.flatMap(({ message, wire }) =>
        readCanonical('request', wire, false).message.complete ? [{ message, wire, isHead: false }] : [],
      ),
      signature: signatureOf(ours, theirs, whole),
    };
  }

  #forward(pieces: readonly Buffer[], habits: SocketHabits): Run {
    return this.#gateway.run({
      requests: pieces,
      habits,
      answer: (_index, { call }, written) => {
        const { message } = readCanonical('request', written, false);
        if (!message.complete) return null;
        return {
          pieces: [
            Buffer.from(
              call.method === 'HEAD'
                ? 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n'
                : 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
            ),
          ],
          after: 'keeps',
        };
      },
    });
  }

  /** Each request that left is canonical, is the request that came, and is read by node as just that one request. */
  #checkForwarded({ calls }: Run, ours: Reading): Difference | null {
    for (const { wire, message: place, upgrade } of calls) {
      const { message, rest, fault } = readCanonical('request', wire, false);
      if (fault !== null) return { rule: 'what is forwarded is canonical', detail: `${show(fault)} in ${show(wire)}` };
      if (rest !== '')
        return { rule: 'one request is forwarded as one', detail: `${show(rest)} behind it in ${show(wire)}` };
      const came = ours.messages[place];
      if (came === undefined) return { rule: 'what is forwarded was read', detail: show(wire) };
      const changed = changedOnTheWay(came, message, upgrade);
      if (changed !== null) return { rule: 'what is forwarded is what came', detail: `${changed}: ${show(wire)}` };
      const misread = this.#misread(message, wire, upgrade);
      if (misread !== null)
        return { rule: 'node reads what is forwarded as we do', detail: `${misread}: ${show(wire)}` };
    }
    return null;
  }

  #misread(message: Message, wire: string, upgrade: boolean): string | null {
    const reading = this.#node.requests(wire);
    const [theirs, second] = reading.messages;
    if (reading.refused !== null) return isExcused(message, reading.refused) ? null : reading.refused;
    if (second !== undefined) return 'two requests';
    if (theirs === undefined) return message.method === '' ? null : 'no request';
    if (upgrade && message.body !== '') return null;
    return differentMessages(message, theirs);
  }
}

function faultOf({ faults }: Run): Difference | null {
  return faults.length === 0 ? null : { rule: 'a connection ends when its client does', detail: faults.join('; ') };
}

/** A request that is answered before its body has come closes the connection, so one of two runs may end before the other. */
function differentForwards(whole: Run, parts: Run): Difference | null {
  const [first, second] = [meanings(whole), meanings(parts)];
  const at = first.findIndex((meaning, i) => i < second.length && meaning !== second[i]);
  return at < 0
    ? null
    : {
        rule: 'what is forwarded is the same however the bytes are cut',
        detail: `${first[at]} whole, ${second[at]} in pieces`,
      };
}

function meanings({ calls }: Run): string[] {
  return calls
    .map(({ wire }) => readCanonical('request', wire, false).message)
    .filter((message) => message.complete)
    .map((message) => JSON.stringify(message));
}

function changedOnTheWay(came: Message, sent: Message, upgrade: boolean): string | null {
  if (sent.method === '') return null;
  const host = valuesOf(came.fields, 'host')[0] ?? null;
  const { target, authority } = splitTarget(came.method, came.target, host, host === null ? 0 : 1);
  if (sent.method !== came.method) return 'method';
  if (sent.target !== target) return 'target';
  if (authority !== '' && valuesOf(sent.fields, 'host')[0] !== authority) return 'Host';
  const fields = [endToEnd(came.fields, writtenToService), endToEnd(sent.fields, writtenToService)];
  if (JSON.stringify(fields[0]) !== JSON.stringify(fields[1])) return `fields ${JSON.stringify(fields)}`;
  if (sent.complete && !came.complete) return 'a body that broke off has an end';
  if (sent.complete && sent.body !== came.body) return upgrade ? 'the body of an upgrade' : 'body';
  return null;
}

/** Node reads the client's own bytes as we do, and refuses none that we forward, but for what is excused by name. */
function compareReadings(ours: Reading, theirs: Reading, run: Run): Difference | null {
  for (const [i, message] of ours.messages.entries()) {
    const other = theirs.messages[i];
    const forwarded = run.calls.some((call) => call.message === i);
    // Refused in whatever form before its body is looked at.
    if (message.method === 'CONNECT') return null;
    // What follows an upgrade that the server takes is not HTTP/1.1 (RFC 9110 section 7.8), and node's parser stops before it is asked.
    if (other === undefined && theirs.refused === 'bytes behind an upgrade') return null;
    const isLast = i === ours.messages.length - 1;
    if (theirs.refused !== null && (other === undefined || !other.complete)) {
      if (
        !forwarded ||
        !message.complete ||
        isExcused(message, theirs.refused) ||
        closesByTrailer(ours.messages.slice(0, i))
      )
        return null;
      return {
        rule: 'what node refuses is not forwarded',
        detail: `${theirs.refused}: ${show(message.method)} ${show(message.target)} ${show(message.fields.join('|'))} ${show(message.body)}`,
      };
    }
    if (isLast && ours.refused !== null && !message.complete) return null;
    if (other === undefined)
      return {
        rule: 'node reads the same requests',
        detail: `node sees ${theirs.messages.length}, we ${ours.messages.length}`,
      };
    const different = differentMessages(message, other);
    if (different !== null)
      return { rule: 'node reads the same requests', detail: `${different}; ours is ${JSON.stringify(message)}` };
    if (!other.persists) return null;
  }
  return null;
}

/** RFC 9110 section 6.5.1: a trailer says nothing about the connection; node listens to it all the same, and stops. */
function closesByTrailer(before: readonly Message[]): boolean {
  return before.some(({ trailers }) => valuesOf(trailers, 'connection').length > 0);
}

function signatureOf(ours: Reading, theirs: Reading, run: Run): string {
  return `${ours.messages.length} ${ours.refused} ${theirs.messages.length} ${theirs.refused} ${run.calls.length} ${run.answers.length === 0}`;
}
