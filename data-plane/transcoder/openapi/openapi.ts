import type { Binding } from '../binding/binding.js';
import { Components, type Source } from './components.js';
import { dialectOf, type OpenApiVersion } from './dialect.js';
import { compareText, keyedObject, present, type JsonObject } from './json.js';
import { describeOperation } from './operation.js';
import { documentPath, type DocumentPath } from './path.js';
import { renderOperation } from './render.js';

export type { OpenApiVersion } from './dialect.js';
export type { Json, JsonObject } from './json.js';

/** A binding that requests reach. */
export interface RoutedBinding {
  readonly binding: Binding;
  /** The name of its schema in the config. */
  readonly schema: string;
}

export interface DocumentInfo {
  readonly version: OpenApiVersion;
  readonly title: string;
  /** Of the API: what changes with it. */
  readonly apiVersion: string;
  /** As clients name it, with its port; '' for wherever the document comes from. */
  readonly host: string;
  readonly schemes: readonly ('http' | 'https')[];
}

/**
 * The OpenAPI document of these bindings. The same bindings give the same document, in whatever order they come. What OpenAPI
 * cannot tell apart, as two templates of one shape, is one operation that names the others; methods that it does not have are
 * left out. The implicit `POST /pkg.Service/Method` is described for methods without a rule only. Pure, but not quick: it
 * reads comments and describes all of every message.
 */
export function openApiDocument(bindings: readonly RoutedBinding[], info: DocumentInfo): JsonObject {
  const dialect = dialectOf(info.version);
  const calls = callsOf(bindings);
  const components = new Components(
    dialect,
    calls.some(({ binding }) => binding.habits.unsetFields === 'all'),
  );
  const paths = new Map<string, Map<string, JsonObject>>();
  for (const call of calls) {
    const { path, httpMethod } = call;
    const operation = describeOperation(call, components, dialect);
    const item = paths.get(path.text) ?? new Map<string, JsonObject>();
    paths.set(path.text, item);
    item.set(httpMethod, renderOperation(operation, info.version));
  }
  const items = [...paths]
    .toSorted(([a], [b]) => compareText(a, b))
    .map(([text, item]): [string, JsonObject] => [text, inOrder(item)]);
  return documentOf(info, keyedObject(items), tagsOf(calls), components.settle());
}

function documentOf(
  { version, title, apiVersion, host, schemes }: DocumentInfo,
  paths: JsonObject,
  tags: readonly JsonObject[],
  components: JsonObject,
): JsonObject {
  const info = { title, version: apiVersion };
  const some = tags.length === 0 ? undefined : tags;
  if (version === '2.0') {
    return present({
      swagger: '2.0',
      info,
      host: host === '' ? undefined : host,
      schemes: host === '' || schemes.length === 0 ? undefined : schemes,
      tags: some,
      paths,
      definitions: components,
    });
  }
  const servers = host === '' ? [] : schemes.map((scheme) => ({ url: `${scheme}://${host}` }));
  return present({
    openapi: '3.1.0',
    info,
    servers: servers.length === 0 ? undefined : servers,
    tags: some,
    paths,
    components: { schemas: components },
  });
}

const methodOrder = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch'];

function inOrder(item: ReadonlyMap<string, JsonObject>): JsonObject {
  const entries = [...item].toSorted(([a], [b]) => methodOrder.indexOf(a) - methodOrder.indexOf(b));
  return Object.fromEntries(entries);
}

function tagsOf(calls: readonly DocumentedCall[]): JsonObject[] {
  const tags = new Map<string, JsonObject>();
  for (const { binding, source } of calls) {
    const { service: name, file } = binding.method;
    if (tags.has(name)) continue;
    const { comment } = source.notes.of(file, name);
    tags.set(name, present({ name, description: comment === '' ? undefined : comment }));
  }
  return [...tags.values()].toSorted((a, b) => compareText(String(a['name']), String(b['name'])));
}

interface DocumentedCall {
  readonly binding: Binding;
  readonly source: Source;
  readonly httpMethod: string;
  readonly path: DocumentPath;
  readonly id: string;
  readonly also: readonly string[];
}

interface Candidate extends RoutedBinding {
  /** Its place among all. */
  readonly index: number;
  readonly httpMethod: string;
  readonly shape: string;
}

/** One call for each path and method of the document, by path. */
function callsOf(bindings: readonly RoutedBinding[]): DocumentedCall[] {
  const ruled = new Set(
    bindings.filter(({ binding }) => !binding.rule.implicit).map(({ binding }) => binding.method.path),
  );
  const candidates = bindings
    .filter(({ binding }) => !binding.rule.implicit || !ruled.has(binding.method.path))
    .flatMap((routed, index): Candidate[] => {
      const httpMethod = methodOf(routed.binding);
      const { shape } = documentPath(routed.binding.template, null);
      return httpMethod === undefined ? [] : [{ ...routed, index, httpMethod, shape }];
    })
    .toSorted(byShape);
  const sources = new Sources();
  const namesOf = new Map<string, readonly string[]>();
  const groups: Candidate[][] = [];
  for (const candidate of candidates) {
    const last = groups[groups.length - 1]?.[0];
    const isSame = last?.shape === candidate.shape && last.httpMethod === candidate.httpMethod;
    if (isSame) (groups[groups.length - 1] as Candidate[]).push(candidate);
    else groups.push([candidate]);
  }
  const ids = operationIds(groups.map(([first]) => first as Candidate));
  return groups.map(([first, ...others]) => {
    const { binding, schema, index, httpMethod, shape } = first as Candidate;
    const path = documentPath(binding.template, namesOf.get(shape) ?? null);
    namesOf.set(
      shape,
      path.parameters.map(({ name }) => name),
    );
    const also = others.map((other) => `${other.httpMethod.toUpperCase()} ${other.binding.template.text}`);
    return { binding, source: sources.of(schema, binding), httpMethod, path, id: ids.get(index) as string, also };
  });
}

/** The key of a path item; a binding of any method is shown as what people would send. Undefined where OpenAPI has none. */
function methodOf({ httpMethod, rule }: Binding): string | undefined {
  const method = httpMethod === '*' ? (rule.body === '' ? 'GET' : 'POST') : httpMethod;
  return methodOrder.find((key) => key.toUpperCase() === method);
}

/** Of one shape, `*` before `**`, and a rule for one method before one for all. */
function byShape(a: Candidate, b: Candidate): number {
  const rank = ({ binding }: Candidate) => (binding.template.deepAt < 0 ? 0 : 2) + (binding.httpMethod === '*' ? 1 : 0);
  return (
    compareText(a.shape, b.shape) ||
    methodOrder.indexOf(a.httpMethod) - methodOrder.indexOf(b.httpMethod) ||
    rank(a) - rank(b) ||
    compareText(a.binding.template.text, b.binding.template.text) ||
    compareText(a.binding.method.path, b.binding.method.path)
  );
}

/** Notes are read once for each schema. */
class Sources {
  readonly #sources = new Map<Binding['schema'], Source>();

  of(name: string, { schema }: Binding): Source {
    const known = this.#sources.get(schema);
    if (known !== undefined) return known;
    const source = { name, schema, notes: schema.notes() };
    this.#sources.set(schema, source);
    return source;
  }
}

/**
 * By place: `Bookstore_GetBook`, that of the method's second rule `Bookstore_GetBook_2`; with the package in front where two
 * services of the document have one name.
 */
function operationIds(candidates: readonly Candidate[]): Map<number, string> {
  const services = new Map<string, Set<string>>();
  for (const { binding } of candidates) {
    const simple = simpleName(binding.method.service);
    services.set(simple, (services.get(simple) ?? new Set()).add(binding.method.service));
  }
  const used = new Set<string>();
  const ids = new Map<number, string>();
  for (const { index, binding } of candidates.toSorted((a, b) => a.index - b.index)) {
    const { service, name } = binding.method;
    const simple = simpleName(service);
    const isOnly = services.get(simple)?.size === 1;
    const base = `${isOnly ? simple : service.replaceAll('.', '_')}_${name}`;
    let id = base;
    for (let count = 2; used.has(id); count++) id = `${base}_${count}`;
    used.add(id);
    ids.set(index, id);
  }
  return ids;
}

function simpleName(service: string): string {
  return service.slice(service.lastIndexOf('.') + 1);
}
