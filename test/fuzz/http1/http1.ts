import type { FuzzOptions, FuzzResult } from '../fuzz.js';
import { describeFinding, runCampaign } from './campaign.js';

/**
 * Holds the HTTP/1.1 engine against other parsers: generated and mutated requests and answers go through the gateway in memory;
 * what leaves it has to be what node:http, nginx and HAProxy read as the same.
 */
export async function fuzzHttp1({ cases, seed, log }: FuzzOptions): Promise<FuzzResult> {
  const started = performance.now();
  let peakMb = 0;
  const result = await runCampaign({
    seed,
    cases,
    onProgress: (done) => {
      peakMb = Math.max(peakMb, process.memoryUsage().rss / 2 ** 20);
      if (done > 0 && done % 50_000 === 0) log(`${done} cases, ${Math.round(done / ((performance.now() - started) / 1_000))} a second`);
    },
  });
  const seconds = (performance.now() - started) / 1_000;
  const summary = `${result.cases} cases in ${seconds.toFixed(0)} s, ${result.forwarded} messages forwarded, ${result.judgements} different judgements, at most ${peakMb.toFixed(0)} MiB`;
  return { summary, findings: result.findings.map(describeFinding) };
}
