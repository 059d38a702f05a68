/** Plain JSON, as documents are made of. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;

export interface JsonObject {
  [name: string]: Json;
}

/** An object whose keys come from descriptors: `__proto__` is a key like any other. */
export function keyedObject(entries: Iterable<readonly [string, Json]> = []): JsonObject {
  const made = Object.create(null) as JsonObject;
  for (const [key, value] of entries) made[key] = value;
  return made;
}

/** Code point order, the same everywhere. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The object without the members that are undefined. */
export function present(members: Readonly<Record<string, Json | undefined>>): JsonObject {
  const made: JsonObject = {};
  for (const [key, value] of Object.entries(members)) if (value !== undefined) made[key] = value;
  return made;
}
