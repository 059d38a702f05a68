import { fieldKind, type FieldKind } from '../schema/types.js';
import { keyedObject, present, type Json, type JsonObject } from './json.js';

export type OpenApiVersion = '3.1' | '2.0';

/** What stands beside the shape of a value. */
export interface Remarks {
  readonly description: string;
  readonly deprecated: boolean;
  readonly readOnly: boolean;
  readonly writeOnly: boolean;
}

/** How a version of OpenAPI says what both can say. A reference gets its name last, so none of these copies one. */
export interface Dialect {
  readonly version: OpenApiVersion;
  /** What stands before the name of a component in a `$ref`. */
  readonly refPrefix: string;
  readonly bytes: JsonObject;
  /** The value of NullValue. */
  readonly nothing: JsonObject;
  /** Bytes as they are, as the body of a message. */
  readonly binary: JsonObject;
  nullable(schema: JsonObject): JsonObject;
  remark(schema: JsonObject, remarks: Remarks): JsonObject;
  /** That of these properties at most one may be there; empty where that cannot be said. */
  exclusive(oneofs: readonly (readonly string[])[]): JsonObject;
}

export function dialectOf(version: OpenApiVersion): Dialect {
  return version === '3.1' ? openApi31 : openApi20;
}

/** Each member names all others, so a large oneof is told in words only. */
const maxExclusive = 16;

const openApi31: Dialect = {
  version: '3.1',
  refPrefix: '#/components/schemas/',
  bytes: { type: 'string', contentEncoding: 'base64' },
  nothing: { type: 'null' },
  binary: {},
  nullable(schema) {
    if (typeof schema['type'] === 'string' && schema['enum'] === undefined)
      return { ...schema, type: [schema['type'], 'null'] };
    return schema['$ref'] === undefined ? schema : { anyOf: [schema, { type: 'null' }] };
  },
  remark(schema, { description, deprecated, readOnly, writeOnly }) {
    const added = remarks({ description, deprecated, readOnly, writeOnly });
    return schema['$ref'] === undefined ? { ...schema, ...added } : Object.assign(schema, added);
  },
  exclusive(oneofs) {
    const dependent: [string, Json][] = oneofs
      .filter((members) => members.length <= maxExclusive)
      .flatMap((members) =>
        members.map((member): [string, Json] => {
          const others = members.filter((other) => other !== member);
          return [member, { properties: keyedObject(others.map((other) => [other, { type: 'null' }])) }];
        }),
      );
    return dependent.length === 0 ? {} : { dependentSchemas: keyedObject(dependent) };
  },
};

const openApi20: Dialect = {
  version: '2.0',
  refPrefix: '#/definitions/',
  bytes: { type: 'string', format: 'byte' },
  nothing: {},
  binary: { type: 'string', format: 'binary' },
  nullable(schema) {
    if (schema['type'] !== undefined) return { ...schema, 'x-nullable': true };
    return schema['$ref'] === undefined ? schema : { allOf: [schema], 'x-nullable': true };
  },
  remark(schema, { description, deprecated, readOnly }) {
    const words = [description, deprecated ? 'Deprecated.' : ''].filter((text) => text !== '').join('\n\n');
    const added = remarks({ description: words, deprecated: false, readOnly, writeOnly: false });
    if (Object.keys(added).length === 0) return schema;
    // What stands beside a $ref is ignored.
    return schema['$ref'] === undefined ? { ...schema, ...added } : { allOf: [schema], ...added };
  },
  exclusive: () => ({}),
};

function remarks({ description, deprecated, readOnly, writeOnly }: Remarks): JsonObject {
  return present({
    description: description === '' ? undefined : description,
    deprecated: deprecated || undefined,
    readOnly: readOnly || undefined,
    writeOnly: writeOnly || undefined,
  });
}

/** The JSON form of a scalar: 64-bit integers are strings. */
export function scalarSchema(kind: FieldKind, dialect: Dialect): JsonObject {
  switch (kind) {
    case fieldKind.double:
      return { type: 'number', format: 'double' };
    case fieldKind.float:
      return { type: 'number', format: 'float' };
    case fieldKind.int64:
    case fieldKind.sint64:
    case fieldKind.sfixed64:
      return { type: 'string', format: 'int64' };
    case fieldKind.uint64:
    case fieldKind.fixed64:
      return { type: 'string', format: 'uint64' };
    case fieldKind.int32:
    case fieldKind.sint32:
    case fieldKind.sfixed32:
      return { type: 'integer', format: 'int32' };
    case fieldKind.uint32:
    case fieldKind.fixed32:
      return { type: 'integer', format: 'int64', minimum: 0, maximum: 4_294_967_295 };
    case fieldKind.bool:
      return { type: 'boolean' };
    case fieldKind.bytes:
      return dialect.bytes;
    case fieldKind.string:
    case fieldKind.enum:
    case fieldKind.message:
    case fieldKind.group:
      return { type: 'string' };
  }
}
