import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { SchemaCache } from '../../data-plane/runtime/schema-cache.js';
import { compileConfig } from '../../data-plane/runtime/compile.js';
import { startAdmin } from '../support/admin.js';
import { runCli } from '../support/cli.js';

import type { RuntimeParts } from '../../data-plane/runtime/compile.js';
import type { AdminFixture } from '../support/admin.js';

const folder = fileURLToPath(new URL('../../deploy/examples/', import.meta.url));
const examples = readdirSync(folder).filter((name) => name.endsWith('.yaml'));

let admin: AdminFixture;

beforeAll(async () => {
  admin = await startAdmin();
});

afterAll(() => admin.close());

interface Claim {
  readonly method: string;
  readonly url: string;
  readonly headers: readonly string[];
  readonly outcome: string;
}

/** `#   GET http://host/path  name: value  -> route`, as the comments of the examples have it. */
function claimsOf(text: string): Claim[] {
  return [...text.matchAll(/^# +([A-Z]+) +(http\S+) +(?:([\w-]+): (\S+) +)?-> (\S+)$/gm)].map(
    ([, method = '', url = '', name, value = '', outcome = '']) => ({
      method,
      url,
      headers: name === undefined ? [] : [name, value],
      outcome,
    }),
  );
}

/** Nothing is sent here, so nothing that sends is needed. */
const noParts = { upstream: () => ({}), metrics: () => ({}), schemas: new SchemaCache() } as unknown as RuntimeParts;

async function ask({ method, url, headers }: Claim): Promise<string> {
  const { router, problems } = compileConfig((await admin.store.read()).resources, noParts);
  expect(problems).toEqual([]);
  const [, host = '', path = ''] = /^https?:\/\/([^/]+)(\/.*)$/.exec(url) ?? [];
  const found = router.match({ method, host, path, headers });
  if (found.kind === 'match') return found.entry.name;
  return found.kind === 'method_not_allowed' ? '405' : '404';
}

test('the list of examples names each of them', () => {
  const listed = [...readFileSync(`${folder}README.md`, 'utf8').matchAll(/^\| \[(\S+)\]\((\S+)\)/gm)];

  expect(new Set(listed.map(([, text]) => text))).toEqual(new Set(examples));
  for (const [, text, link] of listed) expect(link).toBe(text);
});

describe.each(examples)('the example %s', (name) => {
  test('applies to a new cluster', async () => {
    await admin.client.call('apply', { prune: true });

    const result = await runCli(admin.address, ['apply', '--dry-run', '-f', `${folder}${name}`]);

    expect(result).toMatchObject({ code: 0, err: '' });
    expect(result.out).toMatch(/^\+ [^]*\n\d+ to change; nothing was written\n$/);
  });

  test('routes requests as its comment says', async () => {
    const claims = claimsOf(readFileSync(`${folder}${name}`, 'utf8'));
    await runCli(admin.address, ['apply', '--prune', '-f', `${folder}${name}`]);

    const outcomes = await Promise.all(claims.map(async (claim) => ({ ...claim, outcome: await ask(claim) })));

    expect(claims.length).toBeGreaterThan(3);
    expect(outcomes).toEqual(claims);
  });
});
