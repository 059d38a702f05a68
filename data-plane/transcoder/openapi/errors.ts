import type { Habits } from '../habits.js';
import type { Components, Source } from './components.js';
import type { Dialect } from './dialect.js';
import type { JsonObject } from './json.js';
import type { Content } from './operation.js';

const code: JsonObject = { type: 'integer', format: 'int32' };
const text: JsonObject = { type: 'string' };

/** google.rpc.Status, which every schema has. */
export function statusSchema(source: Source, components: Components): JsonObject {
  const type = source.schema.message('google.rpc.Status');
  return type === undefined ? { type: 'object' } : components.message(type, source);
}

/** The bodies of errors: the service's in the format of the route, and those that the gateway makes, which have but one. */
export function errorContent(
  format: Habits['errorFormat'],
  source: Source,
  components: Components,
  dialect: Dialect,
): Content {
  const status = statusSchema(source, components);
  const json = (schema: JsonObject): Content['media'][number] => ({ type: 'application/json', schema });
  const type = source.schema.message('google.protobuf.Any');
  const details = { type: 'array', items: type === undefined ? {} : components.message(type, source) };
  switch (format) {
    case 'status':
      return { description: 'Error', media: [json(status)] };
    case 'aip-193': {
      const error = { type: 'object', properties: { code, message: text, status: text, details } };
      const wrapped: JsonObject = { type: 'object', properties: { error } };
      return {
        description: 'Error',
        media: [json(dialect.version === '2.0' ? wrapped : { anyOf: [wrapped, status] })],
      };
    }
    case 'problem': {
      const properties = { type: text, title: text, status: code, detail: text, details };
      const problem = { type: 'application/problem+json', schema: { type: 'object', properties } };
      return { description: 'Error', media: [problem, json(status)] };
    }
  }
}
