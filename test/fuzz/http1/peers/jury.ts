import { Looks, type Finding } from '../findings.js';
import type { FuzzCase } from '../generate/cases.js';
import type { Verdict } from '../oracle/verdict.js';
import { shrink } from '../shrink.js';
import { judgeAnswers, type AnswerOnTheWire } from './answers.js';
import { judgeOriginals, type Original } from './originals.js';
import type { Peer } from './peer.js';
import { judgeForwarded, type PeerFinding } from './requests.js';

/** Messages that go to the peers at a time, of each kind. */
const batch = 100;
/** Each of a finding's tries may wait for a silent peer. */
const maxTries = 300;

/** Collects what left the gateway and has peers judge it, batch by batch. */
export class Jury {
  readonly findings: Finding[] = [];
  /** Messages that were judged, counted once for each peer. */
  judged = 0;
  readonly #peers: readonly Peer[];
  readonly #judge: (fuzzCase: FuzzCase) => Verdict;
  readonly #originalsOneIn: number;
  readonly #looks = new Looks();
  #cases = 0;
  #requests: string[] = [];
  #originals: Original[] = [];
  #answers: AnswerOnTheWire[] = [];

  /**
   * `judge` runs a case through the gateway, to make findings small. What clients sent needs a connection for each case, so it is
   * given to the peers for one in `originalsOneIn` only.
   */
  constructor(peers: readonly Peer[], judge: (fuzzCase: FuzzCase) => Verdict, originalsOneIn: number) {
    this.#peers = peers;
    this.#judge = judge;
    this.#originalsOneIn = originalsOneIn;
  }

  add({ kind, text, seed }: FuzzCase, { forwarded }: Verdict): void {
    if (kind === 'response') {
      this.#answers.push(...forwarded);
    } else if (forwarded.length > 0) {
      this.#requests.push(...forwarded.map(({ wire }) => wire));
      if (this.#cases++ % this.#originalsOneIn === 0) this.#originals.push({ text, seed, forwarded });
    }
  }

  /** Judges what has gathered; with `all` false, only if that is worth a batch. */
  async sit(all: boolean): Promise<void> {
    if (!all && this.#requests.length < batch && this.#answers.length < batch) return;
    const [requests, originals, answers] = [this.#requests, this.#originals, this.#answers];
    [this.#requests, this.#originals, this.#answers] = [[], [], []];
    await Promise.all(this.#peers.map((peer) => this.#ask(peer, requests, originals, answers)));
  }

  async #ask(
    peer: Peer,
    requests: readonly string[],
    originals: readonly Original[],
    answers: readonly AnswerOnTheWire[],
  ): Promise<void> {
    this.judged += requests.length + originals.length + answers.length;
    for (const found of await judgeForwarded(peer, requests)) {
      await this.#keep(found, async (wire) => (await judgeForwarded(peer, [wire])).length > 0);
    }
    for (const found of await judgeOriginals(peer, originals)) {
      const seed = originals.find(({ text }) => text === found.input)?.seed ?? 0;
      await this.#keep(found, async (text) => {
        const { forwarded } = this.#judge({ kind: 'request', text, seed });
        return forwarded.length > 0 && (await judgeOriginals(peer, [{ text, seed, forwarded }])).length > 0;
      });
    }
    for (const found of await judgeAnswers(peer, answers)) {
      const isHead = answers.find(({ wire }) => wire === found.input)?.isHead ?? false;
      await this.#keep(found, async (wire) => (await judgeAnswers(peer, [{ wire, isHead }])).length > 0);
    }
  }

  async #keep(found: PeerFinding, fails: (input: string) => Promise<boolean>): Promise<void> {
    if (!this.#looks.isNew(found)) return;
    this.findings.push({ ...found, input: await shrink(found.input, fails, maxTries) });
  }
}
