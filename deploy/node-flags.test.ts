import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { nodeFlags } from './node-flags.js';
import { packageFile } from './package-file.js';

it.each([
  ['package.json', `"start": "node ${nodeFlags.join(' ')} dist/deploy/sluice.js `],
  ['package.json', `"sluice": "node ${nodeFlags.join(' ')} dist/deploy/sluice.js"`],
  ['deploy/sluice.ts', `#!/usr/bin/env -S node ${nodeFlags.join(' ')}\n`],
  [
    'deploy/docker/Dockerfile',
    `ENTRYPOINT ${JSON.stringify(['node', ...nodeFlags, 'dist/deploy/sluice.js']).replaceAll(',', ', ')}\n`,
  ],
])('%s starts node with the flags: %s', async (file, line) => {
  expect(await readFile(packageFile(file), 'utf8')).toContain(line);
});
