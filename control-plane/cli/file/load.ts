import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

import { isMap, isSeq } from 'yaml';

import { RouteSchema, SchemaSchema, ServiceSchema } from '../../../proto/gen/sluice/v1/config_pb.js';
import { UsageError } from '../errors.js';
import { readFailure } from './failure.js';
import { findSpot, Place } from './place.js';
import { readMessage, unknownField } from './read.js';
import { keyOf, valueOf } from './scalars.js';
import { lineOf, parseSource } from './source.js';

import type { DescMessage, Message } from '@bufbuild/protobuf';
import type { Route, Schema, Service } from '../../../proto/gen/sluice/v1/config_pb.js';
import type { Reading } from './place.js';
import type { FileProblem, SourceFile } from './source.js';

/** Everything that the given files say, merged, in the order it was written. */
export interface DesiredConfig {
  readonly services: readonly Service[];
  readonly routes: readonly Route[];
  readonly schemas: readonly Schema[];
  /** Finds the place of a field path of the Apply request, such as `routes[3].paths[0]`; null when it is in no file. */
  locate(requestField: string): Omit<FileProblem, 'reason'> | null;
}

export interface LoadedConfig {
  readonly config: DesiredConfig;
  /** Complete, since reading goes on after each; in the order of the files and their lines. */
  readonly problems: readonly FileProblem[];
}

const kinds = {
  services: { word: 'service', desc: ServiceSchema },
  routes: { word: 'route', desc: RouteSchema },
  schemas: { word: 'schema', desc: SchemaSchema },
} as const satisfies Record<string, { word: string; desc: DescMessage }>;

type Section = keyof typeof kinds;

const sections = Object.keys(kinds) as Section[];

/** Stands for standard input among paths. */
const standardInput = '-';

/**
 * Reads files and folders (their .yaml, .yml and .json files, by name, and no folder within), `-` being standard input. Files
 * that config files name are read as well. Throws UsageError when a path cannot be read.
 */
export function loadConfig(paths: readonly string[]): LoadedConfig {
  const loader = new Loader();
  for (const path of paths.flatMap(expand)) loader.read(path, readGiven(path));
  return loader.result();
}

function expand(path: string): string[] {
  if (path === standardInput || !statGiven(path).isDirectory()) return [path];
  const files = readdirSync(path, { withFileTypes: true })
    .filter((entry) => /^[^.].*\.(ya?ml|json)$/.test(entry.name) && !entry.isDirectory())
    .map(({ name }) => join(path, name))
    .toSorted();
  if (files.length === 0) throw new UsageError(`${path}: the folder has no .yaml, .yml or .json file`);
  return files;
}

function statGiven(path: string): { isDirectory(): boolean } {
  try {
    return statSync(path);
  } catch (error) {
    throw new UsageError(`${path}: ${readFailure(error)}`, { cause: error });
  }
}

function readGiven(path: string): Uint8Array {
  try {
    return readFileSync(path === standardInput ? 0 : path);
  } catch (error) {
    throw new UsageError(`${path}: ${readFailure(error)}`, { cause: error });
  }
}

/** Gathers what several files say. */
class Loader {
  readonly #messages: Record<Section, Message[]> = { services: [], routes: [], schemas: [] };
  readonly #readings: Record<Section, Reading[]> = { services: [], routes: [], schemas: [] };
  /** Where each name was first given. */
  readonly #names = new Map<string, string>();
  readonly #problems: FileProblem[] = [];

  read(path: string, bytes: Uint8Array): void {
    const { file, problems } = parseSource(path === standardInput ? '(standard input)' : path, bytes);
    const found = [...problems];
    if (file !== null) this.#readFile(file, dirname(path), found);
    this.#problems.push(...found.toSorted((a, b) => a.line - b.line));
  }

  result(): LoadedConfig {
    const { services, routes, schemas } = this.#messages;
    const config = {
      services: services as Service[],
      routes: routes as Route[],
      schemas: schemas as Schema[],
      locate: (field: string) => this.#locate(field),
    };
    return { config, problems: this.#problems };
  }

  #readFile(file: SourceFile, folder: string, problems: FileProblem[]): void {
    const { contents } = file;
    const complain = (node: unknown, field: string, reason: string): void => {
      problems.push({ file: file.name, line: lineOf(file, node), resource: '', field, reason });
    };
    // A file that was cut to nothing must not read as the wish to have nothing, which --prune would fulfil.
    if (contents === null) return complain(null, '', 'says nothing; write {} if that is meant');
    if (!isMap(contents)) return complain(contents, '', `must be a mapping with ${sections.join(', ')}`);
    for (const pair of contents.items) {
      const key = keyOf(pair.key);
      const list = valueOf(pair);
      if (!isSection(key)) complain(pair.key, key, unknownField(key, sections));
      else if (!isSeq(list)) complain(list, key, 'must be a list');
      else for (const [i, node] of list.items.entries()) this.#readResource(file, folder, key, i, node, problems);
    }
  }

  #readResource(
    file: SourceFile,
    folder: string,
    section: Section,
    index: number,
    node: unknown,
    problems: FileProblem[],
  ): void {
    const { word, desc } = kinds[section];
    const name: unknown = isMap(node) ? node.get('name') : undefined;
    const resource =
      typeof name === 'string' && name !== '' ? `${word} ${JSON.stringify(name)}` : `${section}[${index}]`;
    const readFile = (path: string): Uint8Array => readFileSync(resolve(folder, path));
    const reading: Reading = { file, resource, problems, spots: new Map(), readFile };
    const message = readMessage(desc, { node }, new Place(reading));
    if (message === undefined) return;
    this.#messages[section].push(message);
    this.#readings[section].push(reading);
    if (typeof name === 'string') this.#checkName(reading);
  }

  #checkName({ file, resource, spots, problems }: Reading): void {
    const { line, field } = findSpot(spots, 'name');
    const earlier = this.#names.get(resource);
    if (earlier === undefined) this.#names.set(resource, `${file.name}:${line}`);
    else problems.push({ file: file.name, line, resource, field, reason: `stands already at ${earlier}` });
  }

  #locate(requestField: string): Omit<FileProblem, 'reason'> | null {
    const [, section = '', index = '', field = ''] = /^(\w+)\[(\d+)\]\.?(.*)$/.exec(requestField) ?? [];
    const reading = isSection(section) ? this.#readings[section][Number(index)] : undefined;
    if (reading === undefined) return null;
    return { file: reading.file.name, resource: reading.resource, ...findSpot(reading.spots, field) };
  }
}

function isSection(key: string): key is Section {
  return Object.hasOwn(kinds, key);
}
