import type { FieldBlock } from '../../headers.js';
import { staticNameIndex, staticTable } from './static-table.js';

/** No name takes more than this beside its own letters, nor does the length of a value. */
const longestPrefix = 6;
const mostNames = 1024;
/** Below this a loop over the letters beats the call into native code (70 ns). */
const shortText = 24;
const staticFields = staticTable.length;
const nothing = new Uint8Array(0);

/** Fields that nobody on the way may put into a compression table (RFC 7541 section 7.1.3). */
const secrets: ReadonlySet<string> = new Set([
  'authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
  'x-api-key',
]);

/**
 * Writes field blocks that refer to the static table only, so a block's bytes depend on nothing but its fields: it may be
 * made once and sent on any connection, and one encoder may serve them all. Names are lowered here; their encoded form is
 * kept, which leaves a look-up and a copy for each field.
 * Every write needs room for `fieldBound`, which the caller sees to, and returns the offset behind what it wrote.
 */
export class HpackEncoder {
  readonly #names = new Map<string, Uint8Array>();
  readonly #blocks = new WeakMap<FieldBlock, Uint8Array>();
  readonly #omitted: ReadonlySet<string>;

  /** Fields with a name in `omitted` (lower case) are not written. */
  constructor(omitted: ReadonlySet<string> = new Set()) {
    this.#omitted = omitted;
  }

  field(out: Buffer, at: number, name: string, value: string): number {
    let coded = this.#names.get(name);
    if (coded === undefined) coded = this.#learn(name);
    if (coded.length === 0) return at;
    for (let i = 0; i < coded.length; i++) out[at++] = coded[i] as number;
    return writeText(out, at, value);
  }

  /** The bytes of fields that many messages carry alike; made once for each block. */
  coded(block: FieldBlock): Uint8Array {
    const known = this.#blocks.get(block);
    if (known !== undefined) return known;
    const { fields } = block;
    let bound = 0;
    for (let i = 0; i < fields.length; i += 2) bound += fieldBound(fields[i] as string, fields[i + 1] as string);
    const out = Buffer.allocUnsafe(bound);
    let at = 0;
    for (let i = 0; i < fields.length; i += 2) at = this.field(out, at, fields[i] as string, fields[i + 1] as string);
    const coded = Uint8Array.from(out.subarray(0, at));
    this.#blocks.set(block, coded);
    return coded;
  }

  #learn(name: string): Uint8Array {
    const lowerName = name.toLowerCase();
    const coded = this.#omitted.has(lowerName) ? nothing : codeName(lowerName);
    if (this.#names.size >= mostNames) this.#names.clear();
    this.#names.set(name, coded);
    return coded;
  }
}

/** A field whose name has this index in the static table. */
export function writeNamed(out: Buffer, at: number, nameIndex: number, value: string): number {
  return writeText(out, writeInteger(out, at, 0x00, 0x0f, nameIndex), value);
}

/** The most bytes that a field can take. */
export function fieldBound(name: string, value: string): number {
  return name.length + value.length + 2 * longestPrefix;
}

/** A field that the static table has whole, by its index. */
export function writeIndexed(out: Buffer, at: number, index: number): number {
  if (index > staticFields) throw new RangeError(`${index} is not in the static table`);
  out[at] = 0x80 | index;
  return at + 1;
}

/**
 * The update that empties the peer's table. As the first bytes of a connection's first block it settles for good that this
 * encoder uses no table, whatever limit the peer announces later (RFC 7541 section 4.2).
 */
export function writeNoTable(out: Buffer, at: number): number {
  out[at] = 0x20;
  return at + 1;
}

function codeName(name: string): Uint8Array {
  const representation = secrets.has(name) ? 0x10 : 0x00;
  const index = staticNameIndex.get(name);
  const out = Buffer.allocUnsafe(name.length + 2 * longestPrefix);
  if (index !== undefined) return Uint8Array.from(out.subarray(0, writeInteger(out, 0, representation, 0x0f, index)));
  out[0] = representation;
  return Uint8Array.from(out.subarray(0, writeText(out, 1, name)));
}

function writeText(out: Buffer, at: number, text: string): number {
  const length = text.length;
  if (length < 0x7f) out[at++] = length;
  else at = writeInteger(out, at, 0, 0x7f, length);
  if (length > shortText) {
    out.write(text, at, length, 'latin1');
    return at + length;
  }
  for (let i = 0; i < length; i++) out[at++] = text.charCodeAt(i);
  return at;
}

function writeInteger(out: Buffer, at: number, representation: number, mask: number, value: number): number {
  if (value < mask) {
    out[at++] = representation | value;
    return at;
  }
  out[at++] = representation | mask;
  let rest = value - mask;
  while (rest >= 0x80) {
    out[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  out[at++] = rest;
  return at;
}
