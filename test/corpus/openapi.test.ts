import { Validator } from '@seriousme/openapi-schema-validator';
import { beforeAll, expect, test } from 'vitest';
import {
  habitsOf,
  loadSchema,
  openApiDocument,
  schemaBindings,
  type JsonObject,
  type RoutedBinding,
} from '../../data-plane/transcoder/transcoder.js';
import { googleapisDescriptorSet } from './googleapis.js';

/** The validator takes longer than all else, so it sees the documents of some services only, unless `SLUICE_CORPUS=all`. */
const validatedShare = process.env['SLUICE_CORPUS'] === 'all' ? 1 : 8;

/** Every rule of every service, those included that two services share, which routes of two hosts could serve. */
let bindings: RoutedBinding[];

beforeAll(async () => {
  const { schema } = loadSchema(await googleapisDescriptorSet());
  if (schema === null) throw new Error('the corpus does not load');
  const habits = habitsOf('grpc-gateway');
  bindings = schema.services
    .flatMap((service) => schemaBindings(schema, { services: [service], habits }).bindings)
    .filter(({ rule }) => !rule.implicit)
    .map((binding) => ({ binding, schema: 'googleapis' }));
}, 180_000);

test.each(['3.1', '2.0'] as const)(
  'the OpenAPI %s document of all public Google APIs is sound, and validates',
  async (version) => {
    const before = process.cpuUsage();
    const info = { version, title: 'Google APIs', apiVersion: '1', host: '', schemes: [] };

    const document = openApiDocument(bindings, info);

    const used = process.cpuUsage(before);
    const text = JSON.stringify(document);
    const operations = operationsOf(document);
    console.log(
      `OpenAPI ${version}: ${bindings.length} bindings, ${operations.length} operations, ${text.length / 1e6} MB, ${(used.user + used.system) / 1e6} s`,
    );
    expect(operations.length).toBeGreaterThan(14_800);
    expect(new Set(operations.map(({ operation }) => operation['operationId'])).size).toBe(operations.length);
    expect(operations.filter((it) => !hasItsParameters(it)).map(({ path }) => path)).toEqual([]);
    expect(new Set(Object.keys(document['paths'] as JsonObject).map(shapeOf)).size).toBe(
      Object.keys(document['paths'] as JsonObject).length,
    );
    expect(referencesIn(text)).toEqual(new Set(componentsOf(document)));
    const services = [...new Set(bindings.map(({ binding }) => binding.method.service))];
    const seen = new Set(services.filter((_, index) => index % validatedShare === 0));
    const some = bindings.filter(({ binding }) => seen.has(binding.method.service));
    const plain = JSON.parse(JSON.stringify(openApiDocument(some, info))) as Record<string, unknown>;
    const { valid, errors } = await new Validator().validate(plain);
    expect(errors ?? []).toEqual([]);
    expect(valid).toBe(true);
  },
  180_000,
);

interface PathOperation {
  readonly path: string;
  readonly operation: JsonObject;
}

function operationsOf(document: JsonObject): PathOperation[] {
  return Object.entries(document['paths'] as Record<string, Record<string, JsonObject>>).flatMap(([path, item]) =>
    Object.values(item).map((operation) => ({ path, operation })),
  );
}

/** Each parameter of the path is described once, and no other is. */
function hasItsParameters({ path, operation }: PathOperation): boolean {
  const parameters = (operation['parameters'] ?? []) as JsonObject[];
  const described = parameters.filter((it) => it['in'] === 'path').map((it) => String(it['name']));
  const named = [...path.matchAll(/\{([^}]+)\}/g)].map(([, name = '']) => name);
  const all = parameters.map((it) => `${String(it['in'])} ${String(it['name'])}`);
  return described.toSorted().join() === named.toSorted().join() && new Set(all).size === all.length;
}

function shapeOf(path: string): string {
  return path.replaceAll(/\{[^}]+\}/g, '{}');
}

function componentsOf(document: JsonObject): string[] {
  const components = (document['components'] as { schemas: JsonObject } | undefined)?.schemas;
  return Object.keys(components ?? (document['definitions'] as JsonObject));
}

function referencesIn(text: string): Set<string> {
  return new Set(
    [...text.matchAll(/"\$ref":"#\/(?:components\/schemas|definitions)\/([^"]+)"/g)].map(([, name = '']) => name),
  );
}
