import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { errorTable, ProxyError } from './errors.js';

it.each(Object.entries(errorTable))(
  'docs/errors.md describes %s as the table has it',
  (kind, { source, status, code, retry }) => {
    const doc = readFileSync(new URL('../docs/errors.md', import.meta.url), 'utf8');

    expect(doc).toContain(`| \`${kind}\` | ${source} | ${status} | ${code} | ${retry} |`);
  },
);

it('only faults of our own have a stack', () => {
  expect(new ProxyError('no_route').stack).not.toContain(' at ');
  expect(new ProxyError('internal').stack).toContain(' at ');
  expect(new Error('after them').stack).toContain(' at ');
});
