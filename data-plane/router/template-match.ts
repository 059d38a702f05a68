import { decodeOctets, offsetOfOctet } from './path.js';
import type { Template } from './template.js';

const slash = 47;

/**
 * The raw text of each variable of a template, in the order of `template.variables`, from a path that the template
 * matched. Raw means as the client sent it: decodeVariable() decodes.
 */
export function captureVariables(template: Template, path: string): string[] {
  if (template.variables.length === 0) return [];
  const starts = segmentStarts(path, contentEnd(template, path));
  const count = starts.length - 1;
  const grown = count - template.segments.length;
  return template.variables.map(({ first, end }) => {
    const from = template.deepAt !== -1 && first > template.deepAt ? first + grown : first;
    const to = template.deepAt !== -1 && end > template.deepAt ? end + grown : end;
    return to <= from ? '' : path.slice(starts[from], (starts[to] as number) - 1);
  });
}

/** Where the path ends that the segments matched: before slashes at its end, and before the verb. */
function contentEnd(template: Template, path: string): number {
  const end = trimmedEnd(path);
  return template.verb === '' ? end : verbStart(template.verb, path, end);
}

/** Where a path ends without the slashes at its end; 1 for the root. */
export function trimmedEnd(path: string): number {
  let end = path.length;
  while (end > 1 && path.charCodeAt(end - 1) === slash) end -= 1;
  return end;
}

/** Where the colon of a verb would stand in the raw path before `end`. */
function verbStart(verb: string, path: string, end: number): number {
  const last = path.lastIndexOf('/', end - 1) + 1;
  const segment = path.slice(last, end);
  return last + offsetOfOctet(segment, decodeOctets(segment).length - verb.length - 1);
}

/** Whether one template matches a raw path, for explaining; requests are matched by the tree of all templates. */
export function templateMatches(template: Template, path: string, strip: boolean): boolean {
  let end = trimmedEnd(path);
  if (end !== path.length && !strip) return false;
  if (template.verb !== '') {
    const colon = verbStart(template.verb, path, end);
    if (path.charAt(colon) !== ':' || decodeOctets(path.slice(colon + 1, end)) !== template.verb) return false;
    if (path.charAt(colon - 1) === '/') return false;
    end = colon;
  }
  const parts = end <= 1 ? [] : path.slice(1, end).split('/').map(decodeOctets);
  const { segments, deepAt } = template;
  const grown = parts.length - segments.length;
  if (deepAt === -1 ? grown !== 0 : grown < -1) return false;
  return segments.every((segment, index) => {
    if (segment.kind === 'deep') return true;
    const part = parts[deepAt !== -1 && index > deepAt ? index + grown : index];
    return segment.kind === 'single' ? part !== '' : part === segment.text;
  });
}

/** Where each segment begins, and one past the end of the last. */
function segmentStarts(path: string, end: number): number[] {
  const starts = [1];
  if (end <= 1) return starts;
  for (let at = path.indexOf('/', 1); at !== -1 && at < end; at = path.indexOf('/', at + 1)) starts.push(at + 1);
  starts.push(end + 1);
  return starts;
}
