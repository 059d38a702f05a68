import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { packageFile } from '../../deploy/package-file.js';
import { withLock } from '../../deploy/servers/binaries/binaries.js';

const execute = promisify(execFile);
const require = createRequire(import.meta.url);

/** Folders of Google's own build, which no service uses, and some of which do not compile by themselves. */
const excludes = ['util', 'compiler', 'bridge', 'json', 'test_protos'].map((name) => `google/protobuf/${name}`);

/**
 * The serialized FileDescriptorSet of the public Google APIs: every file of the npm package google-proto-files that has an
 * http rule, with all it imports; 20 MB, 6,878 files, 15,353 bindings. With comments it is 81 MB. Compiled with buf once (some
 * 15 s), then kept in `.cache/corpus`.
 */
export async function googleapisDescriptorSet(options: { readonly comments?: boolean } = {}): Promise<Buffer> {
  const manifest = require.resolve('google-proto-files/package.json');
  const { version } = JSON.parse(await readFile(manifest, 'utf8')) as { version: string };
  const file = packageFile(`.cache/corpus/googleapis-${version}${options.comments === true ? '-comments' : ''}.binpb`);
  const kept = await readFile(file).catch(() => null);
  if (kept !== null) return kept;
  return withLock(file, async () => {
    const made = await readFile(file).catch(() => null);
    if (made !== null) return made;
    await compile(dirname(manifest), file, options.comments === true);
    return readFile(file);
  });
}

async function compile(root: string, file: string, comments: boolean): Promise<void> {
  const config = { version: 'v2', modules: [{ path: '.', excludes: [...excludes, 'gapic', 'node_modules', 'build'] }] };
  const paths = (await filesWithRules(root)).flatMap((path) => ['--path', join(root, path)]);
  await mkdir(dirname(file), { recursive: true });
  // A file of this name is there as a whole, or not there.
  const temp = `${file}.${process.pid}.binpb`;
  const flags = comments ? [] : ['--exclude-source-info'];
  try {
    const args = ['build', root, '--config', JSON.stringify(config), '--as-file-descriptor-set', ...flags, ...paths];
    await execute(packageFile('node_modules/.bin/buf'), [...args, '-o', temp], { maxBuffer: 16 << 20 });
    await rename(temp, file);
  } finally {
    await rm(temp, { force: true });
  }
}

async function filesWithRules(root: string): Promise<string[]> {
  const entries = await readdir(join(root, 'google'), { recursive: true, withFileTypes: true });
  const found: string[] = [];
  for (const entry of entries) {
    if (!entry.name.endsWith('.proto')) continue;
    const path = join(entry.parentPath, entry.name);
    if ((await readFile(path, 'utf8')).includes('(google.api.http)')) found.push(path.slice(root.length + 1));
  }
  return found.filter((path) => !excludes.some((folder) => path.startsWith(`${folder}/`))).toSorted();
}
