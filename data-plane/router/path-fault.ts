import type { CompiledPath } from './entry.js';
import { decodeOctets } from './path.js';
import { templateMatches, trimmedEnd } from './template-match.js';
import type { Template } from './template.js';

/** Where a path goes apart from a rule that it does not match. */
export interface PathFault {
  /** How many segments from the beginning are as the rule has them. */
  readonly agreed: number;
  /** Of a template, in words; else ''. */
  readonly text: string;
}

/** `raw` is the path as it was sent, `normal` its normal form; the rule matches neither. */
export function pathFault(path: CompiledPath, raw: string, normal: string): PathFault {
  switch (path.kind) {
    case 'exact':
    case 'prefix':
    case 'segment_prefix':
      return { agreed: agreedSegments(segmentsOf(path.text), segmentsOf(normal)), text: '' };
    case 'regex':
      return { agreed: 0, text: '' };
    case 'template':
      return templateFault(path.template, raw, path.strip);
  }
}

/** How many segments a rule has that matches every path below it; Infinity for one that matches in another way. */
export function depthOf(path: CompiledPath | null): number {
  if (path === null) return 0;
  return path.kind === 'prefix' || path.kind === 'segment_prefix' ? segmentsOf(path.text).length : Infinity;
}

function segmentsOf(text: string): string[] {
  return text.split('/').filter((segment) => segment !== '');
}

function agreedSegments(rule: readonly string[], path: readonly string[]): number {
  const apart = rule.findIndex((segment, index) => segment !== path[index]);
  return apart === -1 ? rule.length : apart;
}

function templateFault(template: Template, raw: string, strip: boolean): PathFault {
  const end = trimmedEnd(raw);
  const { segments, verb, deepAt } = template;
  const parts = end <= 1 ? [] : raw.slice(1, end).split('/').map(decodeOctets);
  const fixed = deepAt === -1 ? segments.length : deepAt;
  for (let index = 0; index < fixed; index++) {
    const segment = segments[index];
    const part = parts[index];
    if (part === undefined)
      return { agreed: index, text: `it has ${count(parts.length)}, the template ${segments.length}` };
    const isLast = index === segments.length - 1;
    const text = isLast && verb !== '' && part.endsWith(`:${verb}`) ? part.slice(0, -verb.length - 1) : part;
    if (text === '') return { agreed: index, text: `segment ${index + 1} is empty` };
    if (segment?.kind === 'literal' && text !== segment.text)
      return {
        agreed: index,
        text: `segment ${index + 1} is ${JSON.stringify(text)}, not ${JSON.stringify(segment.text)}`,
      };
  }
  return { agreed: fixed, text: behind(template, raw, strip, parts) };
}

/** What is wrong behind the segments that agree. */
function behind(template: Template, raw: string, strip: boolean, parts: readonly string[]): string {
  const { segments, verb, deepAt } = template;
  if (verb !== '' && !(parts[parts.length - 1] ?? '').endsWith(`:${verb}`)) return `it lacks the verb ":${verb}"`;
  if (!strip && templateMatches(template, raw.slice(0, trimmedEnd(raw)), true)) return 'it ends in a slash';
  if (deepAt === -1 && parts.length > segments.length)
    return `it has ${count(parts.length)}, the template ${segments.length}`;
  return 'what follows is not as the template has it';
}

function count(segments: number): string {
  return segments === 1 ? '1 segment' : `${segments} segments`;
}
