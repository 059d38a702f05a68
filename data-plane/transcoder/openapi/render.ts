import type { OpenApiVersion } from './dialect.js';
import { present, type Json, type JsonObject } from './json.js';
import type { Content, Operation, Parameter } from './operation.js';

/** Writes an operation in the words of a version. */
export function renderOperation(operation: Operation, version: OpenApiVersion): JsonObject {
  return version === '3.1' ? render31(operation) : render20(operation);
}

function render31(operation: Operation): JsonObject {
  const { body, reply, error, parameters } = operation;
  return present({
    ...heading(operation),
    parameters: parameters.length === 0 ? undefined : parameters.map(parameter31),
    requestBody:
      body === null
        ? undefined
        : present({ description: orNone(body.description), content: contentOf(body), required: true }),
    responses: {
      [reply.status]: present({
        description: reply.description || 'OK',
        content: reply.media.length === 0 ? undefined : contentOf(reply),
      }),
      default: { description: error.description, content: contentOf(error) },
    },
  });
}

function heading({ tag, summary, description, id, deprecated }: Operation): Record<string, Json | undefined> {
  return {
    tags: [tag],
    summary: orNone(summary),
    description: orNone(description),
    operationId: id,
    deprecated: deprecated || undefined,
  };
}

function contentOf({ media }: Content): JsonObject {
  return Object.fromEntries(
    media.map(({ type, schema }) => [type, Object.keys(schema).length === 0 ? {} : { schema }]),
  );
}

function parameter31({ name, in: place, description, required, deprecated, schema, many }: Parameter): JsonObject {
  const list: JsonObject = { type: 'array', items: schema };
  const shape: Record<Parameter['many'], JsonObject> = {
    one: { schema },
    commas: { schema: list, style: 'simple' },
    repeated: { schema: list },
    keyed: { schema: { type: 'object', additionalProperties: schema }, style: 'deepObject', explode: true },
    json: { content: { 'application/json': { schema } } },
  };
  return present({
    name,
    in: place,
    description: orNone(description),
    required: required || undefined,
    deprecated: deprecated || undefined,
    ...shape[many],
  });
}

function render20(operation: Operation): JsonObject {
  const { body, reply, error, parameters } = operation;
  const inBody =
    body === null
      ? []
      : [
          present({
            name: 'body',
            in: 'body',
            description: orNone(body.description),
            required: true,
            schema: body.media[0]?.schema ?? {},
          }),
        ];
  const all = [...parameters.map(parameter20), ...inBody];
  return present({
    ...heading(operation),
    consumes: body === null ? undefined : body.media.map(({ type }) => type),
    produces: [...new Set([...reply.media, ...error.media].map(({ type }) => type))],
    parameters: all.length === 0 ? undefined : all,
    responses: {
      [reply.status]: present({ description: reply.description || 'OK', schema: replySchema20(reply) }),
      default: present({ description: error.description, schema: error.media[0]?.schema }),
    },
  });
}

/** Bytes are a file in replies. */
function replySchema20({ media: [first] }: Content): JsonObject | undefined {
  return first?.type === '*/*' ? { type: 'file' } : first?.schema;
}

function parameter20({ name, in: place, description, required, deprecated, schema, many }: Parameter): JsonObject {
  const shape: Record<Parameter['many'], JsonObject> = {
    one: schema,
    commas: { type: 'array', items: schema, collectionFormat: 'csv' },
    repeated: { type: 'array', items: schema, collectionFormat: 'multi' },
    keyed: schema,
    json: { type: 'string' },
  };
  const words: Record<Parameter['many'], string> = {
    one: '',
    commas: '',
    repeated: '',
    keyed: `Given as \`${name}[key]=value\`.`,
    json: 'As JSON text.',
  };
  const text = [description, words[many], deprecated ? 'Deprecated.' : ''].filter((part) => part !== '').join('\n\n');
  return present({
    name: many === 'keyed' ? `${name}[key]` : name,
    in: place,
    description: orNone(text),
    required: required || undefined,
    ...shape[many],
  });
}

function orNone(text: string): string | undefined {
  return text === '' ? undefined : text;
}
