import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { stringify } from 'yaml';

import { UsageError } from '../errors.js';
import { readFailure } from './failure.js';
import { kinds, Loader, sections } from './loader.js';
import { writeMessage } from './write.js';

import type { Message } from '@bufbuild/protobuf';
import type { LoadedConfig, Section } from './loader.js';

export { parseDuration } from './units.js';
export type { DesiredConfig, LoadedConfig } from './loader.js';
export type { FileProblem } from './source.js';

/** Stands for standard input among paths. */
const standardInput = '-';

/**
 * Reads files and folders (their .yaml, .yml and .json files, by name, and no folder within), `-` being standard input. Files
 * that config files name are read as well. Throws UsageError when a path cannot be read.
 */
export function loadConfig(paths: readonly string[]): LoadedConfig {
  const loader = new Loader();
  for (const path of paths.flatMap(expand)) {
    const name = path === standardInput ? '(standard input)' : path;
    loader.read(name, readGiven(path), dirname(path));
  }
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

/**
 * Resources in the spelling of the config file, which `loadConfig` reads as the same. Long texts stay on their line, so that a
 * dump can be searched and compared.
 */
export function configText(config: Readonly<Partial<Record<Section, readonly Message[]>>>): string {
  const plain: Partial<Record<Section, unknown[]>> = {};
  for (const section of sections) {
    const messages = config[section] ?? [];
    if (messages.length > 0) plain[section] = messages.map((message) => writeMessage(kinds[section].desc, message));
  }
  return stringify(plain, { lineWidth: 0, aliasDuplicateObjects: false });
}
