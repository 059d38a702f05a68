import { ArgumentError } from '../codec/errors.js';
import { JsonSource } from '../codec/json-source.js';
import { maxJsonDepth } from '../codec/reader.js';
import type { WireWriter } from '../codec/writer.js';
import { knownTypeOf } from '../schema/known.js';
import { isMap, isMessage, type Field, type MessageType } from '../schema/types.js';

const openBrace = 0x7b;
const closeBrace = 0x7d;
const colon = 0x3a;

/** The field of a request message that a PATCH without a mask fills: its only google.protobuf.FieldMask; else undefined. */
export function maskField(type: MessageType): Field | undefined {
  const masks = type.fields.filter(
    (field) => isMessage(field) && !field.repeated && knownTypeOf(field.message().name) === 'field-mask',
  );
  return masks.length === 1 ? masks[0] : undefined;
}

/** Writes a mask of these paths as the value of the field. */
export function writeMask(field: Field, paths: readonly string[], out: WireWriter): void {
  out.tag(field.number, 2);
  const start = out.open();
  for (const path of paths) {
    out.tag(1, 2);
    out.string(path);
  }
  out.close(start);
}

/**
 * What a JSON body of this type sets, as sorted field paths in proto names: down to what is no message, a list, a map or an
 * Any; an empty object and a null count as set. The body must have been read as the type before. Throws ArgumentError for a
 * name that the message does not have, since a mask must not lose what a caller meant to change.
 */
export function maskOf(type: MessageType, body: Uint8Array): string[] {
  const source = new JsonSource();
  source.load(body);
  const paths: string[] = [];
  if (source.next() === openBrace) walkMessage(source, type, '', paths);
  return paths.toSorted();
}

function walkMessage(source: JsonSource, type: MessageType, prefix: string, paths: string[]): void {
  eachKey(source, (key, keyStart) => {
    const field = type.jsonField(key) ?? type.field(key);
    if (field === undefined)
      throw new ArgumentError(prefix + key.slice(0, 80), 'is not a field of the message', keyStart);
    walkValue(source, field, prefix + field.name, paths);
  });
}

function walkValue(source: JsonSource, field: Field, path: string, paths: string[]): void {
  const before = paths.length;
  if (source.next() === openBrace && isMessage(field) && !field.repeated && !isMap(field)) {
    const type = field.message();
    const known = knownTypeOf(type.name);
    if (known === 'struct' || known === 'value') walkFree(source, path, paths);
    else if (known === 'none') walkMessage(source, type, `${path}.`, paths);
    else source.skipValue(maxJsonDepth);
  } else {
    source.skipValue(maxJsonDepth);
  }
  if (paths.length === before) paths.push(path);
}

/** An object that no message describes: its own keys are the names. */
function walkFree(source: JsonSource, path: string, paths: string[]): void {
  eachKey(source, (key) => {
    const before = paths.length;
    if (source.next() === openBrace) walkFree(source, `${path}.${key}`, paths);
    else source.skipValue(maxJsonDepth);
    if (paths.length === before) paths.push(`${path}.${key}`);
  });
}

/** Goes through the object at the position; `visit` passes over the value of each key. */
function eachKey(source: JsonSource, visit: (key: string, keyStart: number) => void): void {
  source.pos++;
  if (source.next() === closeBrace) {
    source.pos++;
    return;
  }
  do {
    source.next();
    const keyStart = source.pos;
    const key = source.string();
    if (source.next() !== colon) source.unexpected('":"');
    source.pos++;
    visit(key, keyStart);
  } while (source.more(closeBrace));
}
