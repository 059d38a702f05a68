import type { Template, TemplateVariable } from '../../router/router.js';

/** A template as OpenAPI writes paths: each wildcard is a parameter of its own. */
export interface DocumentPath {
  /** `/v1/shelves/{shelf}:merge` */
  readonly text: string;
  /** The same with nameless parameters: paths of the same shape are the same path. */
  readonly shape: string;
  readonly parameters: readonly PathParameter[];
}

export interface PathParameter {
  readonly name: string;
  /** The variable that it is, or is a part of; null for a wildcard that stands alone. */
  readonly variable: TemplateVariable | null;
  /** It is all of its variable. */
  readonly whole: boolean;
  /** It takes any number of segments, with the slashes between them. */
  readonly deep: boolean;
}

/** `/v1/{name=shelves/*}/books/**` as a path of a document; `taken` are the names that the parameters have already. */
export function documentPath(template: Template, taken: readonly string[] | null): DocumentPath {
  const names = taken === null ? new Names() : null;
  const parameters: PathParameter[] = [];
  const parts: string[] = [];
  const shapes: string[] = [];
  template.segments.forEach((segment, at) => {
    if (segment.kind === 'literal') {
      const literal = escaped(segment.text);
      parts.push(literal);
      shapes.push(literal);
      return;
    }
    const variable = template.variables.find(({ first, end }) => first <= at && at < end) ?? null;
    const whole = variable !== null && variable.end - variable.first === 1;
    const name =
      taken?.[parameters.length] ?? (names as Names).fresh(whole ? variable.name : partName(template, at, variable));
    parameters.push({ name, variable, whole, deep: segment.kind === 'deep' });
    parts.push(`{${name}}`);
    shapes.push('{}');
  });
  const verb = template.verb === '' ? '' : `:${escaped(template.verb)}`;
  return { text: `/${parts.join('/')}${verb}`, shape: `/${shapes.join('/')}${verb}`, parameters };
}

/** The variable's own template, with the names of its parameters: `shelves/{shelf}/books/{book}`. */
export function variableText(template: Template, variable: TemplateVariable, path: DocumentPath): string {
  const names = path.parameters.filter((parameter) => parameter.variable === variable).map(({ name }) => name);
  const segments = template.segments.slice(variable.first, variable.end);
  return segments
    .map((segment) => (segment.kind === 'literal' ? escaped(segment.text) : `{${names.shift() ?? ''}}`))
    .join('/');
}

class Names {
  readonly #used = new Set<string>();

  fresh(wanted: string): string {
    let name = wanted;
    for (let count = 2; this.#used.has(name); count++) name = `${wanted}_${count}`;
    this.#used.add(name);
    return name;
  }
}

/** A wildcard behind `shelves/` is a shelf. */
function partName({ segments }: Template, at: number, variable: TemplateVariable | null): string {
  const before = segments[at - 1];
  const word = before?.kind === 'literal' ? before.text.replaceAll(/[^A-Za-z0-9_]+/g, '_') : '';
  if (/^[A-Za-z]/.test(word)) return singular(word);
  return variable === null ? 'segment' : variable.name.replaceAll('.', '_');
}

function singular(word: string): string {
  if (word.endsWith('elves')) return word.replace(/ves$/, 'f');
  if (/[^aeiou]ies$/.test(word)) return word.replace(/ies$/, 'y');
  if (/(ss|sh|x|us)es$/.test(word)) return word.replace(/es$/, '');
  return /[^su]s$/.test(word) ? word.slice(0, -1) : word;
}

/** `text` has one character per byte. */
function escaped(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9\-._~!$&'()*+,;=:@]/g, (byte) => {
    return `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
  });
}
