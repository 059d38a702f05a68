import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { errorTable } from './errors.js';

it.each(Object.entries(errorTable))(
  'docs/errors.md describes %s as the table has it',
  (kind, { source, status, code, retry }) => {
    const doc = readFileSync(new URL('../docs/errors.md', import.meta.url), 'utf8');

    expect(doc).toContain(`| \`${kind}\` | ${source} | ${status} | ${code} | ${retry} |`);
  },
);
