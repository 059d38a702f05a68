import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { run } from './run.js';
import { parseDeb822, parseSourcesList, pickMirror, renderSource } from './sources.js';

import type { AptSource, Distribution } from './sources.js';

export type AptOptions = {
  /** A folder of our own; everything apt writes stays in it. */
  readonly dir: string;
  /** The release to take packages from; undefined means this machine's own. */
  readonly suite: string | undefined;
  readonly aptGet: string;
  readonly env: NodeJS.ProcessEnv;
};

/** A private apt: reads the mirror and proxy this machine is set up with, writes only into its own folder. */
export type Apt = {
  /** Downloads the packages without their dependencies; gives the paths of the .deb files. */
  download(packages: readonly string[]): Promise<readonly string[]>;
};

/** Prepares a private apt and fetches its package lists. Needs no root, installs nothing, leaves the machine's apt alone. */
export async function openApt(options: AptOptions): Promise<Apt> {
  const { dir, aptGet } = options;
  for (const folder of ['lists/partial', 'cache/archives/partial', 'debs', 'none'])
    await mkdir(join(dir, folder), { recursive: true });
  await writeFile(join(dir, 'mirror.sources'), await sourceFor(options.suite));
  await writeFile(join(dir, 'apt.conf'), await configuration(options));
  const env = { ...options.env, APT_CONFIG: join(dir, 'apt.conf'), LC_ALL: 'C' };
  await run(aptGet, ['-q', 'update'], { env });
  return { download: (packages) => download(packages, aptGet, join(dir, 'debs'), env) };
}

async function download(
  packages: readonly string[],
  aptGet: string,
  cwd: string,
  env: NodeJS.ProcessEnv,
): Promise<readonly string[]> {
  const before = new Set(await readdir(cwd));
  await run(aptGet, ['-q', 'download', ...packages], { cwd, env });
  const files = await readdir(cwd);
  return files.filter((file) => file.endsWith('.deb') && !before.has(file)).map((file) => join(cwd, file));
}

async function sourceFor(suite: string | undefined): Promise<string> {
  const own = await distribution();
  const mirror = pickMirror(await machineSources(), own);
  if (mirror === undefined) throw new Error('no apt source with the component main is configured here');
  return renderSource(mirror, suite ?? ownSuite(mirror, own));
}

/** A machine may follow its release by another name than the codename (`stable`). */
function ownSuite(mirror: AptSource, own: Distribution): string {
  return mirror.suites.includes(own.codename) ? own.codename : (mirror.suites[0] ?? own.codename);
}

async function distribution(): Promise<Distribution> {
  const text = await readFile('/etc/os-release', 'utf8');
  const value = (key: string): string => new RegExp(`^${key}="?([^"\n]*)`, 'm').exec(text)?.[1] ?? '';
  return { id: value('ID'), codename: value('VERSION_CODENAME') };
}

async function machineSources(): Promise<readonly AptSource[]> {
  const folder = '/etc/apt/sources.list.d';
  const names = await readdir(folder).catch(() => []);
  const files = [
    '/etc/apt/sources.list',
    ...names.toSorted((a, b) => a.localeCompare(b)).map((name) => join(folder, name)),
  ];
  const found = await Promise.all(files.map(readSources));
  return found.flat();
}

async function readSources(file: string): Promise<readonly AptSource[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  if (file.endsWith('.list')) return parseSourcesList(text);
  return file.endsWith('.sources') ? parseDeb822(text) : [];
}

/**
 * APT_CONFIG is read before /etc/apt/apt.conf.d, so it can turn that folder off, and with it hooks which clean
 * the machine's own caches. What the folder says of proxies, certificates and keys is carried over.
 */
async function configuration({ dir, env }: AptOptions): Promise<string> {
  const machine = await run('apt-config', ['dump'], { env });
  const kept = machine
    .split('\n')
    .filter((line) => /^(Acquire::(?!IndexTargets|Changelogs)|Dir::Etc::trusted)/i.test(line));
  const own = {
    'Dir::Etc::Main': '/dev/null',
    'Dir::Etc::Parts': join(dir, 'none'),
    'Dir::Etc::SourceList': join(dir, 'mirror.sources'),
    'Dir::Etc::SourceParts': join(dir, 'none'),
    'Dir::Etc::Preferences': '/dev/null',
    'Dir::Etc::PreferencesParts': join(dir, 'none'),
    'Dir::State::Lists': join(dir, 'lists'),
    // apt would ask for the version that is installed, which a security mirror may have given and ours lacks.
    'Dir::State::status': '/dev/null',
    'Dir::Cache': join(dir, 'cache'),
    // As root, apt would fetch as a user who cannot write into our folder.
    'APT::Sandbox::User': 'root',
    'APT::Update::Error-Mode': 'any',
    // An older release's index is past its date, yet still the one that was signed.
    'Acquire::Check-Valid-Until': 'false',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '2',
  };
  return [...kept, ...Object.entries(own).map(([key, value]) => `${key} "${value}";`), ''].join('\n');
}
