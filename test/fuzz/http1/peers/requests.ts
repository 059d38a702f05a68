import { readCanonical, valuesOf } from '../oracle/canonical.js';
import { show, type Message } from '../oracle/reading.js';
import type { Difference } from '../oracle/verdict.js';
import { isExcused } from './excused.js';
import type { Peer, PeerName, Understood } from './peer.js';

export interface PeerFinding extends Difference {
  /** The message that was judged. */
  readonly input: string;
}

/** Asks a peer what it understands by requests that left the gateway; each must reach its service as we meant it, and as one. */
export async function judgeForwarded(peer: Peer, wires: readonly string[]): Promise<PeerFinding[]> {
  const { understood, extra } = await peer.ask(wires);
  const findings = wires.flatMap((wire, i) => {
    const detail = wrongOf(peer.name, readCanonical('request', wire, false).message, understood[i]);
    return detail === null ? [] : [{ rule: `${peer.name} reads what is forwarded as we do`, detail, input: wire }];
  });
  const unasked = extra.map((message) => ({
    rule: `${peer.name} sees no request that we did not send`,
    detail: show(JSON.stringify(message)),
    input: wires.join(''),
  }));
  return [...findings, ...unasked];
}

function wrongOf(name: PeerName, sent: Message, understood: Understood | undefined): string | null {
  // Only a shorter one, made from a finding.
  if (!sent.complete) return null;
  if (understood === undefined) return 'no answer';
  if ('refused' in understood)
    return isExcused(name, sent, understood.refused) ? null : `refused with ${understood.refused}`;
  return differentRequests(sent, understood.record);
}

/** Peers write names in their own case, framing in their own way and leave trailers out; the rest has to be what was sent. */
export function differentRequests(sent: Message, record: Message): string | null {
  if (sent.method !== record.method) return `method ${show(record.method)}`;
  if (sent.target !== record.target) return `target ${show(record.target)}`;
  if (sent.body !== record.body) return `body ${show(record.body)}`;
  if (valuesOf(sent.fields, 'host')[0] !== valuesOf(record.fields, 'host')[0])
    return `Host ${show(record.fields.join('|'))}`;
  const [ours, theirs] = [fieldsOf(sent), fieldsOf(record)];
  return ours === theirs ? null : `fields ${show(theirs)}, not ${show(ours)}`;
}

function fieldsOf({ fields }: Message): string {
  return linesOf(fields)
    .filter((line) => !peersOwn.has(line.slice(0, line.indexOf(':'))))
    .toSorted()
    .join('\n');
}

/** Field lines with names in lower case. */
export function linesOf(fields: readonly string[]): string[] {
  return fields.flatMap((name, i) => (i % 2 === 0 ? [`${name.toLowerCase()}: ${fields[i + 1]}`] : []));
}

const peersOwn: ReadonlySet<string> = new Set([
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'te',
  'upgrade',
  'trailer',
  'keep-alive',
]);
