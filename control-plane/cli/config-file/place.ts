import { lineOf } from './source.js';

import type { Forms } from './form.js';
import type { FileProblem, SourceFile } from './source.js';

/** Where a value stands: its line, and its path as the file spells it. */
export interface Spot {
  readonly file: string;
  readonly line: number;
  readonly field: string;
}

/** A resource while it is being read: what it is called in messages, and where each of its values was found. */
export interface Reading {
  readonly file: SourceFile;
  /** As `route "orders"`. */
  readonly resource: string;
  readonly problems: FileProblem[];
  readonly forms: Forms;
  /** By path in the names of the API. */
  readonly spots: Map<string, Spot>;
  /** Reads a file that is named relative to the config file; throws when it cannot be read. */
  readFile(path: string): Uint8Array;
  /** How such a file is called in messages. */
  nameOf(path: string): string;
}

/** One value of a resource. It has two paths: `field` as the file spells it, `path` in the names of the API. */
export class Place {
  readonly reading: Reading;
  readonly field: string;
  readonly path: string;

  constructor(reading: Reading, field = '', path = '') {
    this.reading = reading;
    this.field = field;
    this.path = path;
  }

  /** The value under `key`, which the API calls `name`. */
  key(key: string, name = key): Place {
    const spelled = /^[\w-]+$/.test(key) ? key : JSON.stringify(key);
    return new Place(this.reading, join(this.field, spelled), join(this.path, name));
  }

  item(index: number): Place {
    return new Place(this.reading, `${this.field}[${index}]`, `${this.path}[${index}]`);
  }

  /** A value that the API has within this one and that the file does not spell out; `field` if it stands elsewhere. */
  within(suffix: string, field = this.field): Place {
    return new Place(this.reading, field, suffix.startsWith('[') ? this.path + suffix : join(this.path, suffix));
  }

  /** The same value of the API under another name. */
  spelled(field: string): Place {
    return new Place(this.reading, field, this.path);
  }

  /** The same value of the API, said in another file. */
  inFile(file: SourceFile): Place {
    return new Place({ ...this.reading, file }, '', this.path);
  }

  /** Remembers that the value stands at `node`. */
  mark(node: unknown): void {
    const { file, spots } = this.reading;
    spots.set(this.path, { file: file.name, line: lineOf(file, node), field: this.field });
  }

  report(node: unknown, reason: string): undefined {
    const { file, resource, problems } = this.reading;
    problems.push({ file: file.name, line: lineOf(file, node), resource, field: this.field, reason });
    return undefined;
  }
}

function join(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}

/** The spot of the value at `path`, or of the nearest value around it that the file has. */
export function findSpot(spots: ReadonlyMap<string, Spot>, path: string): Spot {
  let around = path;
  for (;;) {
    const spot = spots.get(around);
    if (spot !== undefined) return { ...spot, field: `${spot.field}${rest(path, around, spot.field)}` };
    if (around === '') return { file: '', line: 0, field: path };
    around = around.replace(/(?:^|\.)[^.[\]]*$|\[[^[\]]*\]$/, '');
  }
}

/** What `path` has more than `around`. Where the file spells a value otherwise, its inner parts would mean nothing to a reader. */
function rest(path: string, around: string, field: string): string {
  if (around !== field) return '';
  const more = path.slice(around.length);
  return field === '' ? more.replace(/^\./, '') : more;
}
