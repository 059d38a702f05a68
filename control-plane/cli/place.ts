import { isScalar } from 'yaml';
import { lineOf, type FileProblem, type SourceFile } from './source.js';

/** Where a value is being read, for the messages about it. */
export interface Place {
  readonly file: SourceFile;
  /** As `route "orders"`. */
  readonly resource: string;
  readonly field: string;
  readonly problems: FileProblem[];
  /** Reads a file that is named relative to the config file; throws when it cannot be read. */
  readFile(path: string): Uint8Array;
}

export function report(place: Place, node: unknown, reason: string): undefined {
  const { file, resource, field } = place;
  place.problems.push({ file: file.name, line: lineOf(file, node), resource, field, reason });
  return undefined;
}

export function keyOf(key: unknown): string {
  return isScalar(key) ? String(key.value) : String(key);
}
