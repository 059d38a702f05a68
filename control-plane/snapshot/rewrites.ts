import { checkPathText, parseTemplate } from '../../data-plane/router/router.js';
import { RE2JS } from 're2js';

import type { PathMatch, Route } from '../../proto/gen/sluice/v1/config_pb.js';
import type { Fault } from './fault.js';

/** `$$`, `$1`, `${1}` or `${name}`; a lone `$` matches as well, with nothing captured. */
const reference = /\$(?:(\$)|(\d+)|\{([^}]*)\})?/g;

/** A rewrite may use what at least one of the paths captures; where another path matched, it is empty. The paths must be sound. */
export function checkRewrite({ rewrite, paths }: Route): Fault[] {
  const fault = (reason: string): Fault[] => [{ field: 'rewrite', reason }];
  const captures = new Set(paths.flatMap(capturesOf)).add('0');
  for (const [whole, dollar, group, name] of rewrite.matchAll(reference)) {
    if (dollar !== undefined) continue;
    const wanted = group ?? name;
    if (wanted === undefined) return fault('has a "$" that names no capture; write "$$" for a dollar sign');
    if (!captures.has(wanted.replace(/^0+(?=\d)/, ''))) return fault(`uses ${whole}, which none of the paths captures`);
  }
  const reason = checkPathText(rewrite === '' ? '/' : rewrite.replace(reference, 'x'));
  return reason === null ? [] : fault(reason);
}

/** Names and numbers. */
function capturesOf({ kind }: PathMatch): string[] {
  if (kind.case === 'regex') {
    const regex = RE2JS.compile(kind.value.pattern);
    return [...Object.keys(regex.namedGroups()), ...numbers(regex.groupCount())];
  }
  if (kind.case !== 'template') return [];
  const parsed = parseTemplate(kind.value);
  return parsed.ok
    ? [...parsed.template.variables.map(({ name }) => name), ...numbers(parsed.template.variables.length)]
    : [];
}

function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, i) => String(i + 1));
}
