import { splitTarget, Violation } from '../../../../data-plane/wire/http1/http1.js';
import { readCanonical, valuesOf } from '../oracle/canonical.js';
import { endToEnd, writtenToService } from '../oracle/end-to-end.js';
import { readWithEngine } from '../oracle/engine-reader.js';
import { show, type Message } from '../oracle/reading.js';
import { linesOf, type PeerFinding } from './requests.js';
import { isExcusedOriginal } from './excused.js';
import type { Peer } from './peer.js';

/** What a client sent, and what of it the gateway sent on: with its place among the client's requests. */
export interface Original {
  readonly text: string;
  /** Of its case. */
  readonly seed: number;
  readonly forwarded: readonly { readonly message: number; readonly wire: string }[];
}

/**
 * Gives a peer the client's own bytes. What the gateway forwards of them the peer has to forward as the same request, and may
 * refuse only for what is excused by name; what the gateway refuses, the peer may take as it likes.
 */
export async function judgeOriginals(peer: Peer, originals: readonly Original[]): Promise<PeerFinding[]> {
  peer.forget();
  const findings = await Promise.all(originals.map((original) => judgeOriginal(peer, original)));
  return findings.flatMap((finding) => finding ?? []);
}

async function judgeOriginal(peer: Peer, { text, forwarded }: Original): Promise<PeerFinding | null> {
  const came = readWithEngine('request', [Buffer.from(text, 'latin1')], false, false).messages;
  const count = 1 + Math.max(...forwarded.map(({ message }) => message));
  const understood = await peer.askRaw(text, count, (i) => came[i]?.method === 'HEAD');
  for (const { message, wire } of forwarded) {
    // What comes behind a refused one is not read by that peer.
    if (understood.slice(0, message).some((each) => 'refused' in each && each.refused !== 'closed')) return null;
    const answer = understood[message];
    const refused = answer === undefined ? 'closed' : 'refused' in answer ? answer.refused : null;
    const detail =
      refused === null
        ? differenceOf(wire, answer as { record: Message })
        : isExcusedOriginal(peer.name, came.slice(0, message + 1), refused)
          ? null
          : `refused with ${refused}`;
    if (detail !== null)
      return {
        rule: `${peer.name} reads what the client sent as we do`,
        detail: `request ${message}: ${detail}`,
        input: text,
      };
    if (refused !== null) return null;
  }
  return null;
}

function differenceOf(wire: string, { record }: { readonly record: Message }): string | null {
  const ours = readCanonical('request', wire, false).message;
  if (ours.method !== record.method) return `method ${show(record.method)}`;
  if (ours.target !== originForm(record)) return `target ${show(record.target)}`;
  if (ours.body !== record.body) return `body ${show(record.body)}, not ${show(ours.body)}`;
  const missing = missingFields(ours, record);
  return missing === '' ? null : `without ${show(missing)}`;
}

/** HAProxy sends an absolute form on as it came. */
function originForm({ method, target, fields }: Message): string {
  try {
    return splitTarget(method, target, valuesOf(fields, 'host')[0] ?? null, 0).target;
  } catch (error) {
    if (error instanceof Violation) return target;
    throw error;
  }
}

/** Peers leave hop-by-hop fields in, or add some of their own; what we send on has to be there. */
function missingFields(ours: Message, record: Message): string {
  const theirs = new Set(linesOf(record.fields));
  return linesOf(endToEnd(ours.fields, writtenToService))
    .filter((line) => !theirs.has(line))
    .join('\n');
}
