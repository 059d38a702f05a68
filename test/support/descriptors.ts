import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { packageFile } from '../../deploy/package-file.js';

/**
 * Compiles proto sources (path → text) with buf into a serialized FileDescriptorSet with all imports, as a user would.
 * google/api and google/rpc may be imported. `excludeImports` leaves them out of the set.
 */
export function buildDescriptors(
  sources: Readonly<Record<string, string>>,
  options: { excludeImports?: boolean } = {},
): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-protos-'));
  try {
    for (const [path, text] of Object.entries(sources)) {
      mkdirSync(dirname(join(folder, 'src', path)), { recursive: true });
      writeFileSync(join(folder, 'src', path), text);
    }
    execFileSync('cp', ['-r', packageFile('proto/vendor/google'), join(folder, 'src')]);
    writeFileSync(join(folder, 'buf.yaml'), 'version: v2\nmodules:\n  - path: src\n');
    const paths = Object.keys(sources).flatMap((path) => ['--path', join(folder, 'src', path)]);
    const flags = options.excludeImports === true ? ['--exclude-imports'] : [];
    const output = join(folder, 'set.binpb');
    execFileSync(
      packageFile('node_modules/.bin/buf'),
      ['build', folder, '--as-file-descriptor-set', ...flags, ...paths, '-o', output],
      { stdio: 'pipe' },
    );
    return readFileSync(output);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
