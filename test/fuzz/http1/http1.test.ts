import { expect, test } from 'vitest';
import { fuzzHttp1 } from './http1.js';

/** The same cases each time, so that a change is what turns this red; `SLUICE_FUZZ_SEED=N npx vitest run test/fuzz` tries others. */
const seed = Number(process.env['SLUICE_FUZZ_SEED'] ?? 20_000);

test(
  `node, nginx and HAProxy read what the gateway forwards as it was meant (seed ${seed})`,
  { timeout: 120_000 },
  async () => {
    const { summary, findings } = await fuzzHttp1({
      cases: 20_000,
      seed,
      requirePeers: true,
      brief: true,
      log: console.log,
    });

    console.log(`seed ${seed}: ${summary}`);
    expect(findings.join('\n\n'), `repeat with SLUICE_FUZZ_SEED=${seed}`).toBe('');
  },
);
