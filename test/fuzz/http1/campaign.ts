import { CaseSource, type CaseKind, type FuzzCase } from './generate/cases.js';
import { MemoryGateway } from './memory/gateway.js';
import { NodeReader } from './oracle/node-reader.js';
import { show } from './oracle/reading.js';
import { RequestOracle } from './oracle/requests.js';
import { ResponseOracle } from './oracle/responses.js';
import type { Difference, Verdict } from './oracle/verdict.js';
import { shrink } from './shrink.js';

export interface CampaignOptions {
  readonly seed: number;
  readonly cases: number;
  /** Told of every case, for those who judge on. */
  readonly onCase?: (fuzzCase: FuzzCase, verdict: Verdict) => void;
  /** Now and then, with the number of cases done. */
  readonly onProgress?: (done: number) => void | Promise<void>;
}

export interface Finding {
  readonly index: number;
  readonly kind: CaseKind;
  readonly rule: string;
  readonly detail: string;
  /** As small as it could be made. */
  readonly input: string;
}

export interface CampaignResult {
  readonly findings: readonly Finding[];
  readonly cases: number;
  /** Complete requests and answers that left the gateway. */
  readonly forwarded: number;
  /** How many ways of judging a case came up. */
  readonly judgements: number;
}

/** Of one look; more of them tell no more. */
const maxAlike = 2;
const maxFindings = 20;
const batch = 250;

/** Runs the cases of a seed through the gateway and judges each; what goes wrong is made small. */
export async function runCampaign({ seed, cases, onCase, onProgress }: CampaignOptions): Promise<CampaignResult> {
  const source = new CaseSource(seed);
  const judge = judges();
  const findings: Finding[] = [];
  const isNew = newLooks();
  let forwarded = 0;
  let done = 0;
  for (; done < cases && findings.length < maxFindings; done++) {
    const fuzzCase = source.next(done);
    const verdict = judge(fuzzCase);
    source.judged(fuzzCase, verdict.signature);
    forwarded += verdict.forwarded.length;
    onCase?.(fuzzCase, verdict);
    if (verdict.difference !== null && isNew(verdict.difference)) findings.push(findingOf(done, fuzzCase, verdict.difference.rule, judge));
    // What sockets put off to the end of the turn piles up until one ends.
    if (done % batch === 0) await new Promise((resolve) => setImmediate(resolve));
    if (done % batch === 0) await onProgress?.(done);
  }
  return { findings, cases: done, forwarded, judgements: source.differentJudgements };
}

/** What was thrown is a finding as well; the gateway it left behind is not used again. */
function judges(): (fuzzCase: FuzzCase) => Verdict {
  const node = new NodeReader();
  const make = (): Record<CaseKind, RequestOracle | ResponseOracle> => {
    const gateway = new MemoryGateway();
    return { request: new RequestOracle(gateway, node), response: new ResponseOracle(gateway, node) };
  };
  let oracles = make();
  return ({ kind, text, seed }) => {
    try {
      return oracles[kind].judge(text, seed);
    } catch (error) {
      oracles = make();
      const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
      return { difference: { rule: 'nothing is thrown', detail }, forwarded: [], signature: `thrown ${detail}` };
    }
  };
}

/** Most findings of a fault look alike: the same rule is broken, and what is said of it begins the same way. */
function newLooks(): (difference: Difference) => boolean {
  const looks = new Map<string, number>();
  return ({ rule, detail }) => {
    const look = rule + detail.slice(0, 16);
    const count = (looks.get(look) ?? 0) + 1;
    looks.set(look, count);
    return count <= maxAlike;
  };
}

function findingOf(index: number, fuzzCase: FuzzCase, rule: string, judge: (fuzzCase: FuzzCase) => Verdict): Finding {
  const { kind } = fuzzCase;
  const input = shrink(fuzzCase.text, (text) => judge({ ...fuzzCase, text }).difference?.rule === rule);
  const detail = judge({ ...fuzzCase, text: input }).difference?.detail ?? '';
  return { index, kind, rule, detail, input };
}

export function describeFinding({ index, kind, rule, detail, input }: Finding): string {
  return `case ${index}, a ${kind}: broken is "${rule}"\n  ${detail}\n  by ${show(input)}`;
}
