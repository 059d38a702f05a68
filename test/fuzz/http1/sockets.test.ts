import { afterAll, beforeAll, expect, test } from 'vitest';
import { startGateway, type TestGateway } from '../../support/gateway.js';
import { makeJudge } from './campaign.js';
import { CaseSource } from './generate/cases.js';
import { readWithEngine } from './oracle/engine-reader.js';
import { readCanonical } from './oracle/canonical.js';
import { endToEnd, writtenToService } from './oracle/end-to-end.js';
import type { Message } from './oracle/reading.js';
import { exchange } from './peers/exchange.js';
import { Recorder, recordField } from './peers/recorder.js';

const recorder = new Recorder();
let gateway: TestGateway;

beforeAll(async () => {
  const port = await recorder.start();
  gateway = await startGateway({
    services: [{ name: 'all', retries: { attempts: 0 } }],
    routes: [
      {
        name: 'all',
        service: 'all',
        paths: [{ kind: { case: 'prefix', value: '/' } }],
        preserveHost: true,
        stripPath: false,
      },
    ],
    endpoints: { all: [port] },
  });
});
afterAll(async () => {
  await gateway.close();
  await recorder.close();
});

function meaning({ method, target, fields, body, trailers }: Message): unknown {
  return { method, target, fields: endToEnd(fields, writtenToService), body, trailers };
}

test('a gateway with real sockets forwards what the one in memory does', async () => {
  const source = new CaseSource(1);
  const judge = makeJudge();
  let compared = 0;
  for (let index = 0; index < 1_500; index++) {
    const fuzzCase = source.next(index);
    const { forwarded } = judge(fuzzCase);
    const count = 1 + Math.max(-1, ...forwarded.map(({ message }) => message));
    if (fuzzCase.kind === 'response' || count === 0) continue;
    const came = readWithEngine('request', [Buffer.from(fuzzCase.text, 'latin1')], false, false).messages;
    recorder.clear();

    const answers = await exchange(gateway.port, fuzzCase.text, (i) => came[i]?.method === 'HEAD', count);

    for (const { message, wire } of forwarded) {
      compared++;
      const record = answers[message]?.fields[(answers[message]?.fields.indexOf(recordField) ?? 0) + 1];
      const sent = recorder.records[Number(record)];
      expect(sent === undefined ? null : meaning(sent), `of ${JSON.stringify(fuzzCase.text)}`).toEqual(
        meaning(readCanonical('request', wire, false).message),
      );
    }
  }
  expect(compared).toBeGreaterThan(300);
});
