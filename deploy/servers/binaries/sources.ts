/** One place packages come from: a mirror with the options this machine reaches it by. Pure data, read by apt.ts. */
export type AptSource = {
  readonly uri: string;
  readonly suites: readonly string[];
  readonly components: readonly string[];
  /** What else the machine says of it (Signed-By, Trusted, Architectures, …), as deb822 lines. */
  readonly options: readonly string[];
};

/** Which Debian-like system this is, as /etc/os-release says. */
export type Distribution = { readonly id: string; readonly codename: string };

/** Reads the one-line format (`deb [signed-by=…] uri suite component …`); lines it does not know are left out. */
export function parseSourcesList(text: string): readonly AptSource[] {
  return text.split('\n').flatMap((line) => parseLine(line) ?? []);
}

/** Reads the deb822 format (`*.sources`); disabled and source-only stanzas are left out. */
export function parseDeb822(text: string): readonly AptSource[] {
  const lines = text.split('\n').filter((line) => !line.startsWith('#'));
  return lines
    .join('\n')
    .split(/\n[ \t]*\n/)
    .flatMap((stanza) => parseStanza(stanza) ?? []);
}

/**
 * Picks the distribution's own mirror: third parties use the same suite and component names,
 * so a URI which ends in the distribution's name (`…/debian`) goes first.
 */
export function pickMirror(sources: readonly AptSource[], own: Distribution): AptSource | undefined {
  const usable = sources.filter((s) => s.components.includes('main') && !s.uri.startsWith('cdrom:'));
  const sameSuite = usable.filter((s) => s.suites.includes(own.codename));
  const named = new RegExp(`/${own.id}(?![\\w-])`);
  return sameSuite.find((s) => named.test(s.uri)) ?? sameSuite[0] ?? usable[0];
}

/** Writes the mirror as a deb822 stanza which offers one suite's `main` only. */
export function renderSource(mirror: AptSource, suite: string): string {
  const fields = ['Types: deb', `URIs: ${mirror.uri}`, `Suites: ${suite}`, 'Components: main'];
  return [...fields, ...mirror.options, ''].join('\n');
}

function parseLine(line: string): AptSource | undefined {
  const match = /^\s*deb\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)\s+([^#]+)/.exec(line);
  const [, options = '', uri, suite, components] = match ?? [];
  if (uri === undefined || suite === undefined || components === undefined) return undefined;
  return { uri, suites: [suite], components: words(components), options: words(options).map(optionLine) };
}

const DEB822_NAMES: Readonly<Record<string, string>> = { arch: 'Architectures', lang: 'Languages', target: 'Targets' };

function optionLine(option: string): string {
  const [name = '', value = ''] = option.split(/=(.*)/s);
  return `${DEB822_NAMES[name] ?? name}: ${value.replaceAll(',', ' ')}`;
}

const REPLACED = new Set(['types', 'uris', 'suites', 'components', 'enabled']);

function parseStanza(stanza: string): AptSource | undefined {
  const fields = new Map(splitFields(stanza).map((field) => [fieldName(field), field]));
  const list = (name: string): readonly string[] => words((fields.get(name) ?? '').replace(/^[^:]*:/, ''));
  const uri = list('uris')[0];
  if (uri === undefined || !list('types').includes('deb') || list('enabled')[0] === 'no') return undefined;
  const options = [...fields].filter(([name]) => !REPLACED.has(name)).map(([, field]) => field);
  return { uri, suites: list('suites'), components: list('components'), options };
}

/** A field may go on over lines which start with a blank (an inline Signed-By key does). */
function splitFields(stanza: string): readonly string[] {
  return stanza
    .split(/\n(?![ \t])/)
    .map((field) => field.trim())
    .filter((field) => field.includes(':'));
}

function fieldName(field: string): string {
  return field.slice(0, field.indexOf(':')).toLowerCase();
}

function words(text: string): readonly string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}
