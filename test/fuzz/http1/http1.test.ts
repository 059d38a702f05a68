import { expect, test } from 'vitest';
import { fuzzHttp1 } from './http1.js';

/** `SLUICE_FUZZ_SEED=N npx vitest run test/fuzz` repeats a run. */
const seed = Number(process.env['SLUICE_FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

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
