/** What one endpoint serves: a digest, or '' when it could not be read. */
export interface Finding {
  readonly digest: string;
  readonly error: string;
}

export interface Verdict {
  /** The digest to go over to; null stays with what there is. */
  readonly take: string | null;
  readonly disagreement: boolean;
  /** Why the schema is not, or may not be, what the endpoints serve; '' when it is or will be. */
  readonly error: string;
}

export interface Standing {
  /** Of the descriptors in force; '' while there are none. */
  readonly current: string;
  /** The only digest to take; '' for any. */
  readonly pinned: string;
  /** How many rounds before this one found the same to take, and endpoints that could not be read. */
  readonly held: number;
}

/** So many rounds may fail to reach an endpoint before the others decide without it. */
const maxHeld = 3;

/**
 * Decides from what the endpoints of a service serve. Routes must not come and go with the endpoint that happened to answer, so a
 * change needs all endpoints; while some serve what is in force, that stays.
 */
export function decide(findings: readonly Finding[], { current, pinned, held }: Standing): Verdict {
  const counts = new Map<string, number>();
  for (const { digest } of findings) if (digest !== '') counts.set(digest, (counts.get(digest) ?? 0) + 1);
  const failed = findings.find(({ error }) => error !== '')?.error ?? '';
  if (findings.length === 0) return stay('the service has no endpoint that takes requests');
  if (counts.size === 0) return stay(failed);
  if (pinned !== '') return decidePinned(counts, pinned, current);
  if (counts.size === 1) return decideAgreed([...counts.keys()][0] ?? '', failed, current, held);
  const take = counts.has(current) ? null : mostServed(counts);
  const error =
    take === null
      ? 'endpoints serve different descriptors; those in force stay until all serve others'
      : 'endpoints serve different descriptors; those of most endpoints are taken';
  return { take, disagreement: true, error };
}

function decidePinned(counts: ReadonlyMap<string, number>, pinned: string, current: string): Verdict {
  const disagreement = counts.size > 1 || !counts.has(pinned);
  if (current !== pinned && counts.has(pinned)) return { take: pinned, disagreement, error: '' };
  const error = counts.has(pinned)
    ? 'some endpoints serve other descriptors than the pinned ones'
    : 'no endpoint serves the pinned descriptors';
  return { take: null, disagreement, error: disagreement ? error : '' };
}

function decideAgreed(digest: string, failed: string, current: string, held: number): Verdict {
  if (digest === current) return { take: null, disagreement: false, error: '' };
  if (failed === '' || current === '' || held >= maxHeld) return { take: digest, disagreement: false, error: '' };
  return stay(`endpoints serve new descriptors, but not all could be read: ${failed}`);
}

function stay(error: string): Verdict {
  return { take: null, disagreement: false, error };
}

/** By number of endpoints, then by digest, so that every leader decides alike. */
function mostServed(counts: ReadonlyMap<string, number>): string | null {
  const [first] = [...counts].toSorted(([a, many], [b, more]) => more - many || (a < b ? -1 : 1));
  return first?.[0] ?? null;
}
