import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, it } from 'vitest';

import { migrationSettings } from './migrate.js';

it('migrations are found, and their times rise: drizzle skips what is older than the newest one it applied', () => {
  const journal = join(migrationSettings().migrationsFolder, 'meta', '_journal.json');

  const { entries } = JSON.parse(readFileSync(journal, 'utf8')) as { entries: { when: number }[] };

  const times = entries.map((entry) => entry.when);
  expect(times.length).toBeGreaterThan(0);
  expect(times).toEqual([...new Set(times)].toSorted((a, b) => a - b));
});
