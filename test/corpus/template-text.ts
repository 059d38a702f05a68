/** A path template as its text says, read here once more so that the router's own parser is not its judge. */
export interface TemplateText {
  readonly segments: readonly Segment[];
  readonly verb: string;
}

export interface Segment {
  readonly kind: 'literal' | 'single' | 'deep';
  readonly text: string;
  /** The variable that it belongs to, or ''. */
  readonly variable: string;
}

export function readTemplate(text: string): TemplateText {
  const [, body = '', verb = ''] = /^(.*?)(?::([^/{}]*))?$/.exec(text) ?? [];
  const segments: Segment[] = [];
  for (const [, name, pattern, plain] of body.matchAll(/\{([^=}]+)(?:=([^}]*))?\}|([^/{}]+)/g)) {
    if (name === undefined) segments.push(segmentOf(plain ?? '', ''));
    else for (const each of (pattern ?? '*').split('/')) segments.push(segmentOf(each, name));
  }
  return { segments, verb };
}

function segmentOf(text: string, variable: string): Segment {
  return { kind: text === '*' ? 'single' : text === '**' ? 'deep' : 'literal', text, variable };
}

/** Whether the template takes a path. */
export function takes({ segments, verb }: TemplateText, path: string): boolean {
  if (verb !== '' && !path.endsWith(`:${verb}`)) return false;
  const parts = path.slice(1, verb === '' ? undefined : -verb.length - 1).split('/');
  const deep = segments.findIndex(({ kind }) => kind === 'deep');
  const grown = parts.length - segments.length;
  if (deep < 0 ? grown !== 0 : grown < -1) return false;
  return segments.every(({ kind, text }, index) => {
    if (kind === 'deep') return true;
    const part = parts[deep < 0 || index < deep ? index : index + grown];
    return kind === 'single' ? part !== '' : text === decodeURIComponent(part ?? '');
  });
}

const ranks = { literal: 0, single: 1, deep: 3 } as const;
/** A template that ends where another goes on with `**`, which takes nothing then, is the more specific one. */
const endRank = 2;

/** Whether the first of two templates that take one path wins: the longer verb, then by segment literal, `*`, `**` (RT1). */
export function isBefore(a: TemplateText, b: TemplateText): boolean {
  if (a.verb.length !== b.verb.length) return a.verb.length > b.verb.length;
  for (let i = 0; i < Math.max(a.segments.length, b.segments.length); i++) {
    const [mine, theirs] = [rankOf(a.segments[i]), rankOf(b.segments[i])];
    if (mine !== theirs) return mine < theirs;
  }
  return false;
}

function rankOf(segment: Segment | undefined): number {
  return segment === undefined ? endRank : ranks[segment.kind];
}
