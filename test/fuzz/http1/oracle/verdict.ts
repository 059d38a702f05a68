import { show, type Message, type Reading } from './reading.js';

/** What a case brought to light: `rule` says which promise is broken, `detail` how. */
export interface Difference {
  readonly rule: string;
  readonly detail: string;
}

export interface Verdict {
  readonly difference: Difference | null;
  /** Complete messages as they left the gateway. `message` is the place of each among those of its connection; `isHead`: an answer without its body. */
  readonly forwarded: readonly { readonly message: number; readonly wire: string; readonly isHead: boolean }[];
  /** What tells this case from others: how each side judged it. */
  readonly signature: string;
}

export function differentMessages(ours: Message, theirs: Message): string | null {
  if (ours.method !== theirs.method) return `method ${show(theirs.method)}`;
  if (ours.target !== theirs.target) return `target ${show(theirs.target)}`;
  if (ours.status !== theirs.status) return `status ${theirs.status}`;
  if (JSON.stringify(ours.fields) !== JSON.stringify(theirs.fields)) return `fields ${show(theirs.fields.join('|'))}`;
  if (ours.complete !== theirs.complete) return theirs.complete ? 'it ends before' : 'it does not end';
  if (ours.complete && ours.body !== theirs.body) return `body ${show(theirs.body)}`;
  if (ours.complete && JSON.stringify(ours.trailers) !== JSON.stringify(theirs.trailers))
    return `trailers ${show(theirs.trailers.join('|'))}`;
  return null;
}

/** A head that breaks off may be refused before its end or not; either way it is never a message. */
export function differentInPieces(whole: Reading, parts: Reading): Difference | null {
  const complete = ({ messages, refused }: Reading): string =>
    JSON.stringify([refused === null, messages.filter((message) => message.complete)]);
  if (complete(whole) === complete(parts)) return null;
  return {
    rule: 'bytes mean the same however they are cut',
    detail: `${complete(whole)} whole, ${complete(parts)} in pieces (${whole.refused}, ${parts.refused})`,
  };
}
