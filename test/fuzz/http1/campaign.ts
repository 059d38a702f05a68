import { Looks, type Finding } from './findings.js';
import { CaseSource, type CaseKind, type FuzzCase } from './generate/cases.js';
import { MemoryGateway } from './memory/gateway.js';
import { NodeReader } from './oracle/node-reader.js';
import { RequestOracle } from './oracle/requests.js';
import { ResponseOracle } from './oracle/responses.js';
import type { Verdict } from './oracle/verdict.js';
import { shrink } from './shrink.js';

export interface CampaignOptions {
  readonly seed: number;
  readonly cases: number;
  /** Told of each case in which nothing was found, for those who judge on. */
  readonly onCase: (fuzzCase: FuzzCase, verdict: Verdict) => void;
  /** After each `batchCases`, with the number of cases done. */
  readonly onBatch: (done: number) => Promise<void>;
}

export interface CampaignResult {
  readonly findings: readonly Finding[];
  readonly cases: number;
  /** Complete requests and answers that left the gateway. */
  readonly forwarded: number;
  /** How many ways of judging a case came up. */
  readonly judgements: number;
}

const maxFindings = 20;
const batchCases = 250;

/** Runs the cases of a seed through the gateway and judges each; what goes wrong is made small. */
export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
  const { stackTraceLimit } = Error;
  // Half the cases are refused by an error that is thrown; writing down where costs a fifth of the run.
  Error.stackTraceLimit = 0;
  try {
    return await run(options);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

async function run({ seed, cases, onCase, onBatch }: CampaignOptions): Promise<CampaignResult> {
  const source = new CaseSource(seed);
  const judge = makeJudge();
  const looks = new Looks();
  const findings: Finding[] = [];
  let forwarded = 0;
  let done = 0;
  while (done < cases && findings.length < maxFindings) {
    const fuzzCase = source.next(done++);
    const verdict = judge(fuzzCase);
    source.judged(fuzzCase, verdict.signature);
    forwarded += verdict.forwarded.length;
    if (verdict.difference === null) onCase(fuzzCase, verdict);
    else if (looks.isNew(verdict.difference)) findings.push(await findingOf(fuzzCase, verdict.difference.rule, judge));
    // It also ends the turn of the event loop, to which sockets put off some of their work.
    if (done % batchCases === 0) await onBatch(done);
  }
  await onBatch(done);
  return { findings, cases: done, forwarded, judgements: source.differentJudgements };
}

/** What is thrown is a finding as well; the gateway it leaves behind is not used again. */
export function makeJudge(): (fuzzCase: FuzzCase) => Verdict {
  const node = new NodeReader();
  const makeOracles = (): Record<CaseKind, RequestOracle | ResponseOracle> => {
    const gateway = new MemoryGateway();
    return { request: new RequestOracle(gateway, node), response: new ResponseOracle(gateway, node) };
  };
  let oracles = makeOracles();
  return ({ kind, text, seed }) => {
    try {
      return oracles[kind].judge(text, seed);
    } catch (error) {
      oracles = makeOracles();
      const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
      return { difference: { rule: 'nothing is thrown', detail }, forwarded: [], signature: `thrown ${detail}` };
    }
  };
}

async function findingOf(fuzzCase: FuzzCase, rule: string, judge: (fuzzCase: FuzzCase) => Verdict): Promise<Finding> {
  const input = await shrink(fuzzCase.text, (text) => judge({ ...fuzzCase, text }).difference?.rule === rule);
  Error.stackTraceLimit = 10;
  const detail = judge({ ...fuzzCase, text: input }).difference?.detail ?? '';
  Error.stackTraceLimit = 0;
  return { rule, detail, input };
}
