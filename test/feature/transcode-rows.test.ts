import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

/** The rows of the transcoder's specification: of each letter pair, how many. */
const rows = {
  PT: 17, // templates
  RT: 13, // matching
  UN: 7, // percent-decoding
  BD: 15, // bodies, and who wins
  QP: 17, // parameters
  PJ: 20, // ProtoJSON
  RS: 5, // answers
  ST: 16, // streams
  ER: 12, // errors
  HD: 13, // header fields, deadlines, cancellation
  CN: 4, // content negotiation
  HB: 6, // HttpBody
  SZ: 2, // sizes
  CP: 3, // compression
};

/** Ids at the beginning of a test's title, or of a row of its table: `ST1, ST5 …`. */
function idsIn(source: string): string[] {
  return [...source.matchAll(/['"`]((?:[A-Z]{2}[0-9]+(?:, |[ '`]))+)/g)].flatMap(([, ids = '']) =>
    ids.split(/[, '`]+/),
  );
}

test('every row has a test with a real client, a real listener and a real service', () => {
  const folder = new URL('./', import.meta.url);
  const files = readdirSync(folder).filter((name) => /^transcode.*\.test\.ts$/.test(name));
  const tested = new Set(files.flatMap((name) => idsIn(readFileSync(new URL(name, folder), 'utf8'))));

  const all = Object.entries(rows).flatMap(([pair, count]) =>
    Array.from({ length: count }, (_, i) => `${pair}${i + 1}`),
  );
  expect(all.filter((id) => !tested.has(id))).toEqual([]);
});
