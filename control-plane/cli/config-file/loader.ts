import { readFileSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';

import { isMap, isSeq } from 'yaml';

import { CertificateSchema, RouteSchema, SchemaSchema, ServiceSchema } from '../../../proto/gen/sluice/v1/config_pb.js';
import { Forms } from './form.js';
import { findSpot, Place } from './place.js';
import { readMessage, unknownField } from './read.js';
import { keyOf, valueOf } from './scalars.js';
import { lineOf, parseSource } from './source.js';

import type { DescMessage, Message } from '@bufbuild/protobuf';
import type { Certificate, Route, Schema, Service } from '../../../proto/gen/sluice/v1/config_pb.js';
import type { Reading } from './place.js';
import type { FileProblem, SourceFile } from './source.js';

/** Everything that the given files say, merged, in the order it was written. */
export interface DesiredConfig {
  readonly services: readonly Service[];
  readonly routes: readonly Route[];
  readonly schemas: readonly Schema[];
  readonly certificates: readonly Certificate[];
  /** Finds the place of a field path of the Apply request, such as `routes[3].paths[0]`; null when it is in no file. */
  locate(requestField: string): Omit<FileProblem, 'reason'> | null;
}

export interface LoadedConfig {
  readonly config: DesiredConfig;
  /** Complete, since reading goes on after each; in the order of the files and their lines. */
  readonly problems: readonly FileProblem[];
}

export const kinds = {
  services: { word: 'service', desc: ServiceSchema },
  routes: { word: 'route', desc: RouteSchema },
  schemas: { word: 'schema', desc: SchemaSchema },
  certificates: { word: 'certificate', desc: CertificateSchema },
} as const satisfies Record<string, { word: string; desc: DescMessage }>;

export type Section = keyof typeof kinds;

export const sections = Object.keys(kinds) as Section[];

/** Gathers what several files say. Files that they name are read as well, relative to `folder`. */
export class Loader {
  readonly #messages: Record<Section, Message[]> = { services: [], routes: [], schemas: [], certificates: [] };
  readonly #readings: Record<Section, Reading[]> = { services: [], routes: [], schemas: [], certificates: [] };
  /** Where each name was first given. */
  readonly #names = new Map<string, string>();
  readonly #problems: FileProblem[] = [];
  readonly #forms = new Forms();

  read(name: string, bytes: Uint8Array, folder: string): void {
    const { file, problems } = parseSource(name, bytes);
    const found = [...problems];
    if (file !== null) this.#readFile(file, folder, found);
    this.#problems.push(...found.toSorted((a, b) => a.line - b.line));
  }

  result(): LoadedConfig {
    const { services, routes, schemas, certificates } = this.#messages;
    const config = {
      services: services as Service[],
      routes: routes as Route[],
      schemas: schemas as Schema[],
      certificates: certificates as Certificate[],
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
    const reading: Reading = {
      file,
      resource,
      problems,
      forms: this.#forms,
      spots: new Map(),
      readFile: (path) => readFileSync(resolve(folder, path)),
      nameOf: (path) => (isAbsolute(path) ? path : join(folder, path)),
    };
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
    const spot = findSpot(reading.spots, field);
    return { ...spot, file: spot.file || reading.file.name, resource: reading.resource };
  }
}

function isSection(key: string): key is Section {
  return Object.hasOwn(kinds, key);
}
