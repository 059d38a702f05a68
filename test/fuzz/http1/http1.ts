import { runCampaign, makeJudge } from './campaign.js';
import { describeFinding } from './findings.js';
import { Jury } from './peers/jury.js';
import { Peer, type PeerName } from './peers/peer.js';
import type { FuzzOptions, FuzzResult } from '../fuzzer.js';

const peerNames: readonly PeerName[] = ['nginx', 'haproxy'];

/**
 * Holds the HTTP/1.1 engine against other parsers: generated and mutated requests and answers go through the gateway in memory;
 * what leaves it has to be what node:http, nginx and HAProxy read as the same.
 */
export async function fuzzHttp1({ requirePeers, ...options }: FuzzOptions): Promise<FuzzResult> {
  const peers = await startPeers(requirePeers, options.log);
  try {
    return await judgedBy(peers, options);
  } finally {
    await Promise.all(peers.map((peer) => peer.close()));
  }
}

async function judgedBy(
  peers: readonly Peer[],
  { cases, seed, brief, log }: Omit<FuzzOptions, 'requirePeers'>,
): Promise<FuzzResult> {
  const jury = new Jury(peers, makeJudge(), brief ? 3 : 1);
  const startedMs = performance.now();
  let peakMib = 0;
  const campaign = await runCampaign({
    seed,
    cases,
    onCase: (fuzzCase, verdict) => jury.add(fuzzCase, verdict),
    onBatch: async (done) => {
      await jury.sit(done === cases);
      peakMib = Math.max(peakMib, process.memoryUsage.rss() / 2 ** 20);
      if (done % 50_000 === 0 && done > 0)
        log(`${done} cases, ${Math.round(done / ((performance.now() - startedMs) / 1_000))} a second`);
    },
  });
  const seconds = Math.round((performance.now() - startedMs) / 1_000);
  const against = ['node', ...peers.map(({ version }) => version)].join(', ');
  return {
    summary:
      `${campaign.cases} cases against ${against} in ${seconds} s: ${campaign.forwarded} messages forwarded, ` +
      `${jury.judged} judged by peers, ${campaign.judgements} different judgements, ${Math.round(peakMib)} MiB at most`,
    findings: [...campaign.findings, ...jury.findings].map(describeFinding),
  };
}

async function startPeers(required: boolean, log: (line: string) => void): Promise<Peer[]> {
  const started = await Promise.allSettled(peerNames.map((name) => Peer.start(name)));
  const peers = started.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  const missing = started.flatMap((each) => (each.status === 'rejected' ? [each.reason as Error] : []));
  if (required && missing[0] !== undefined) {
    await Promise.all(peers.map((peer) => peer.close()));
    throw missing[0];
  }
  for (const error of missing) log(`skipped: ${error.message}`);
  return peers;
}
