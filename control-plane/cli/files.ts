import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { isMap, isSeq, type YAMLMap } from 'yaml';
import type { DescMessage, Message } from '@bufbuild/protobuf';
import { RouteSchema, SchemaSchema, ServiceSchema, type Route, type Schema, type Service } from '../../proto/gen/sluice/v1/config_pb.js';
import { keyOf, type Place } from './place.js';
import { readMessage } from './read.js';
import { lineAt, lineOf, parseSource, type FileProblem, type SourceFile } from './source.js';

/** Everything that the given files say, merged, in the order it was written. */
export interface DesiredConfig {
  readonly services: Service[];
  readonly routes: Route[];
  readonly schemas: Schema[];
  /** Finds the place of a field path of the Apply request, such as `routes[3].paths[0]`. */
  locate(requestField: string): Pick<FileProblem, 'file' | 'line' | 'resource' | 'field'> | null;
}

const kinds = {
  services: { word: 'service', desc: ServiceSchema },
  routes: { word: 'route', desc: RouteSchema },
  schemas: { word: 'schema', desc: SchemaSchema },
} as const satisfies Record<string, { word: string; desc: DescMessage }>;

type Section = keyof typeof kinds;

interface Written {
  readonly file: SourceFile;
  readonly node: unknown;
  readonly resource: string;
}

/** Reads files and folders (their .yaml, .yml and .json files, by name). Problems are complete: reading goes on after each. */
export function readConfigFiles(paths: readonly string[]): { config: DesiredConfig; problems: FileProblem[] } {
  const problems: FileProblem[] = [];
  const messages: Record<Section, Message[]> = { services: [], routes: [], schemas: [] };
  const written: Record<Section, Written[]> = { services: [], routes: [], schemas: [] };
  for (const path of paths.flatMap((given) => expand(given, problems))) {
    const { file, problems: found } = parseSource(path, readText(path, problems));
    problems.push(...found);
    if (file !== null) readFile(file, messages, written, problems);
  }
  const config = {
    services: messages.services as Service[],
    routes: messages.routes as Route[],
    schemas: messages.schemas as Schema[],
    locate: (field: string) => locate(field, written),
  };
  return { config, problems };
}

function expand(path: string, problems: FileProblem[]): string[] {
  try {
    if (!statSync(path).isDirectory()) return [path];
    return readdirSync(path)
      .filter((name) => /\.(ya?ml|json)$/.test(name))
      .toSorted()
      .map((name) => join(path, name));
  } catch {
    problems.push({ file: path, line: 0, resource: '', field: '', reason: 'cannot be read' });
    return [];
  }
}

function readText(path: string, problems: FileProblem[]): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    problems.push({ file: path, line: 0, resource: '', field: '', reason: 'cannot be read' });
    return '';
  }
}

function readFile(file: SourceFile, messages: Record<Section, Message[]>, written: Record<Section, Written[]>, problems: FileProblem[]): void {
  const root = file.document.contents;
  if (root === null) return;
  const complain = (node: unknown, field: string, reason: string): void => {
    problems.push({ file: file.name, line: lineOf(file, node), resource: '', field, reason });
  };
  if (!isMap(root)) return complain(root, '', `must be a mapping with ${Object.keys(kinds).join(', ')}`);
  for (const { key, value } of (root as YAMLMap).items) {
    const section = keyOf(key);
    if (!isSection(section)) complain(key, section, `is no field here; known are ${Object.keys(kinds).join(', ')}`);
    else if (!isSeq(value)) complain(value ?? key, section, 'must be a list');
    else for (const node of value.items) readResource(file, section, node, messages, written, problems);
  }
}

function isSection(key: string): key is Section {
  return Object.hasOwn(kinds, key);
}

function readResource(
  file: SourceFile,
  section: Section,
  node: unknown,
  messages: Record<Section, Message[]>,
  written: Record<Section, Written[]>,
  problems: FileProblem[],
): void {
  const { word, desc } = kinds[section];
  const name: unknown = isMap(node) ? node.get('name') : undefined;
  const resource = typeof name === 'string' ? `${word} "${name}"` : `${word} ${written[section].length + 1}`;
  const readFrom = (path: string): Uint8Array => readFileSync(resolve(dirname(file.name), path));
  const place: Place = { file, resource, field: '', problems, readFile: readFrom };
  const message = readMessage(desc, node, place);
  if (message === undefined) return;
  messages[section].push(message);
  written[section].push({ file, node, resource });
}

function locate(requestField: string, written: Record<Section, Written[]>): ReturnType<DesiredConfig['locate']> {
  const [, section = '', index = '', field = ''] = /^(\w+)\[(\d+)\]\.?(.*)$/.exec(requestField) ?? [];
  const at = isSection(section) ? written[section][Number(index)] : undefined;
  return at === undefined ? null : { file: at.file.name, line: lineAt(at.file, at.node, field), resource: at.resource, field };
}
