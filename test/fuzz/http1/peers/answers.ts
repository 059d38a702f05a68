import { readCanonical, valuesOf } from '../oracle/canonical.js';
import { endToEnd, writtenToClient } from '../oracle/end-to-end.js';
import { show, type Message } from '../oracle/reading.js';
import { linesOf, type PeerFinding } from './requests.js';
import { hasLongName } from './excused.js';
import type { Peer } from './peer.js';

export interface AnswerOnTheWire {
  readonly wire: string;
  readonly isHead: boolean;
}

/** Has a peer read answers that left the gateway, as a client that passes them on: each has to arrive as we meant it. */
export async function judgeAnswers(peer: Peer, answers: readonly AnswerOnTheWire[]): Promise<PeerFinding[]> {
  const got = await peer.play(answers);
  return answers.flatMap(({ wire, isHead }, i) => {
    const detail = differenceOf(readCanonical('response', wire, isHead).message, got[i] ?? null);
    return detail === null ? [] : [{ rule: `${peer.name} reads what the client gets as we do`, detail, input: wire }];
  });
}

function differenceOf(sent: Message, got: Message | null): string | null {
  // Only a shorter one, made from a finding.
  if (!sent.complete) return null;
  if (got === null) return 'no answer';
  if (got.status === 502 && hasLongName(sent.fields)) return null;
  if (got.status !== sent.status) return `status ${got.status}`;
  if (got.body !== sent.body) return `body ${show(got.body)}`;
  const theirs = new Set(linesOf(got.fields));
  const written = valuesOf(sent.fields, 'content-type').some((value, i) => value === '' || i > 0)
    ? withoutContentType
    : writtenToClient;
  const missing = linesOf(endToEnd(sent.fields, written)).filter((line) => !theirs.has(line));
  return missing.length === 0 ? null : `without ${show(missing.join('\n'))}`;
}

/** nginx keeps one Content-Type of several, and none that is empty. */
const withoutContentType: ReadonlySet<string> = new Set([...writtenToClient, 'content-type']);
