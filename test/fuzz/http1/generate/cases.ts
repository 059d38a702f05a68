import { mutate } from './mutate.js';
import { Random } from './random.js';
import { makeRequests } from './requests.js';
import { makeResponses } from './responses.js';

export type CaseKind = 'request' | 'response';

export interface FuzzCase {
  readonly kind: CaseKind;
  readonly text: string;
  /** For how the case is run: cuts, habits of sockets. */
  readonly seed: number;
}

const maxKept = 1_000;

/**
 * The cases of one seed, in order. Half are made from the grammar as they are; the others are changed at random, and so are those
 * before them that were judged as none before was: what led somewhere new may lead further.
 */
export class CaseSource {
  readonly #seed: number;
  readonly #signatures = new Set<string>();
  readonly #kept: Record<CaseKind, string[]> = { request: [], response: [] };

  constructor(seed: number) {
    this.#seed = seed;
  }

  get differentJudgements(): number {
    return this.#signatures.size;
  }

  /** Two of three cases are requests. */
  next(index: number): FuzzCase {
    const random = Random.of(this.#seed, index);
    const kind = index % 3 === 2 ? 'response' : 'request';
    const make = kind === 'request' ? makeRequests : makeResponses;
    const kept = this.#kept[kind];
    const made = kept.length > 0 && random.chance(0.25) ? random.pick(kept) : make(random);
    const text = random.chance(0.5) ? mutate(random, made, make(random)) : made;
    return { kind, text, seed: random.below(2 ** 31) };
  }

  judged({ kind, text, seed }: FuzzCase, signature: string): void {
    if (this.#signatures.has(signature)) return;
    this.#signatures.add(signature);
    const kept = this.#kept[kind];
    if (kept.length < maxKept) kept.push(text);
    else kept[seed % maxKept] = text;
  }
}
