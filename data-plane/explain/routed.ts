import type { RouteEntry, Template } from '../router/router.js';
import type { CompiledConfig, RouteTarget } from '../runtime/compile.js';
import type { RoutedBinding } from '../transcoder/transcoder.js';

/** What clients of a host can call by transcoding. */
export interface RoutedAtHost {
  readonly bindings: readonly RoutedBinding[];
  readonly schemes: readonly ('http' | 'https')[];
}

/** A segment that no rule has as a literal, so that what matches is a wildcard. */
const sampleSegment = 'sluice-sample-segment';

/**
 * The bindings that requests to a host reach: for each, a request of its shape is put to the router, so that one that others
 * win over is not among them. '' is a host that no route names.
 */
export function routedAt({ entries, router }: CompiledConfig, host: string): RoutedAtHost {
  const reached = entries.filter((entry) => {
    const { binding } = entry.target;
    if (binding === null) return false;
    const path = samplePath(binding.template);
    const match = router.match({ method: sampleMethod(entry), path, host, headers: sampleHeaders(entry) });
    return match.kind === 'match' && match.entry === entry;
  });
  // Of two that headers tell apart, the one that asks for none is described.
  const inOrder = reached.toSorted((a, b) => a.headers.length - b.headers.length);
  const settings = reached.map(({ target }) => target.route.settings);
  const schemes = (['https', 'http'] as const).filter((scheme) => settings.some((it) => it[scheme]));
  const bindings = inOrder.flatMap(({ target }) =>
    target.binding === null ? [] : [{ binding: target.binding, schema: target.route.schema }],
  );
  return { bindings, schemes };
}

/** The hosts that transcoded routes name, sorted. */
export function transcodedHosts({ entries }: CompiledConfig): string[] {
  const hosts = entries.flatMap((entry) => (entry.target.binding === null ? [] : entry.hosts));
  return [...new Set(hosts)].toSorted();
}

function samplePath({ segments, verb }: Template): string {
  const path = segments
    .map((segment) => (segment.kind === 'literal' ? escaped(segment.text) : sampleSegment))
    .join('/');
  return `/${path}${verb === '' ? '' : `:${escaped(verb)}`}`;
}

/** `text` has one character per byte. */
function escaped(text: string): string {
  return text.replaceAll(
    /[^A-Za-z0-9\-._~]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

function sampleMethod({ methods, target }: RouteEntry<RouteTarget>): string {
  return methods[0] ?? (target.binding?.rule.body === '' ? 'GET' : 'POST');
}

function sampleHeaders({ headers }: RouteEntry<RouteTarget>): string[] {
  return headers.flatMap(({ name, values }) => [name, values[0] ?? '']);
}
