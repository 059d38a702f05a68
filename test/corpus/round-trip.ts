import { isDeepStrictEqual } from 'node:util';
import {
  fromBinary,
  fromJson,
  toJson,
  type DescField,
  type DescMessage,
  type FileRegistry,
  type JsonObject,
  type JsonValue,
  type Message,
} from '@bufbuild/protobuf';
import { compileRouter, parseTemplate, type Router } from '../../data-plane/router/router.js';
import { RuleCompiler } from '../../data-plane/transcoder/binding/compile.js';
import { rulesOf } from '../../data-plane/transcoder/binding/rules.js';
import { habitsOf, schemaBindings, type Binding, type Schema } from '../../data-plane/transcoder/transcoder.js';
import type { Random } from '../support/random-message.js';
import { fill } from './fill.js';
import { isBefore, readTemplate, takes, type TemplateText } from './template-text.js';

const headerBytes = 5;
/** A `**` may take what a more specific template takes as well; one of so many attempts goes to its own. */
const maxAttempts = 20;

/** Bindings that can be in force together, and the router that tells their requests apart. */
export interface Layer {
  /** Those that no layer before has. */
  readonly bindings: readonly Binding[];
  readonly router: Router<Binding>;
}

/**
 * All bindings of a schema. Those that no other takes the requests of are in force together; a service of which another takes
 * some has a router of its own, as with a host of its own; and so has a rule that another of the same service takes all of.
 */
export function layersOf(schema: Schema): Layer[] {
  const covered = new Set<string>();
  const habits = habitsOf('grpc-gateway');
  const layerOf = (bindings: readonly Binding[]): Layer => {
    const fresh = bindings.filter((binding) => !covered.has(keyOf(binding)));
    for (const binding of fresh) covered.add(keyOf(binding));
    return { bindings: fresh, router: routerOf(bindings) };
  };
  const { bindings, problems } = schemaBindings(schema, { services: [], habits });
  const layers = [layerOf(bindings)];
  for (const service of new Set(problems.map(({ symbol }) => serviceOf(symbol)))) {
    layers.push(layerOf(schemaBindings(schema, { services: [service], habits }).bindings));
  }
  const compiler = new RuleCompiler(schema, habits);
  for (const { symbol, template } of problems) {
    const alone = compileAlone(schema, compiler, symbol, template);
    if (!covered.has(keyOf(alone))) layers.push(layerOf([alone]));
  }
  return layers;
}

function compileAlone(schema: Schema, compiler: RuleCompiler, symbol: string, template: string): Binding {
  const method = schema.service(serviceOf(symbol))?.methods.find(({ name }) => symbol.endsWith(`.${name}`));
  const rules = method === undefined ? [] : rulesOf(schema, method).map((it) => it.rule);
  const rule = rules.find((it) => typeof it !== 'string' && it.template === template);
  const parsed = parseTemplate(template);
  if (method === undefined || typeof rule !== 'object' || !parsed.ok) throw new Error(`${symbol} has no ${template}`);
  const { binding, faults } = compiler.compile(method, rule, parsed.template);
  if (binding === null) throw new Error(`${symbol} ${template}: ${faults[0]?.reason}`);
  return binding;
}

function serviceOf(symbol: string): string {
  return symbol.slice(0, symbol.lastIndexOf('.'));
}

/**
 * Fills a binding's template, matches the URL, and makes the message: it must be this binding, and the message must hold the
 * values and nothing else. Answers what is wrong, or undefined.
 */
export function roundTrip(
  binding: Binding,
  router: Router<Binding>,
  registry: FileRegistry,
  random: Random,
): string | undefined {
  const template = readTemplate(binding.template.text);
  const input = registry.getMessage(binding.method.inputName);
  if (input === undefined) return `there is no ${binding.method.inputName}`;
  for (let i = 0; i < maxAttempts; i++) {
    const { path, message } = fill(template, input, random);
    const match = router.match({ method: binding.httpMethod, host: '', path, headers: [] });
    if (match.kind !== 'match') return `${binding.httpMethod} ${path} is ${match.kind}`;
    if (match.target === binding) return wrongMessage(binding, match.variables(), input, message, path);
    if (!isRightlyOther(template, match.target, path)) return `${path} goes to ${match.target.template.text}`;
  }
  return `${binding.template.text} never wins`;
}

function wrongMessage(
  { request }: Binding,
  variables: readonly string[],
  input: DescMessage,
  expected: JsonObject,
  path: string,
): string | undefined {
  const frame = request.frame(request.bind(variables, ''), new Uint8Array(0), '');
  const made = withoutHttpBody(input, fromBinary(input, frame.subarray(headerBytes)));
  const wanted = toJson(input, fromJson(input, expected));
  return isDeepStrictEqual(made, wanted)
    ? undefined
    : `${path} makes ${JSON.stringify(made)}, not ${JSON.stringify(wanted)}`;
}

/** Where the body is bytes, one that is empty makes a google.api.HttpBody as well. */
function withoutHttpBody(input: DescMessage, message: Message): JsonValue {
  const isBytes = (field: DescField): boolean => field.message?.typeName === 'google.api.HttpBody';
  const names = input.fields.filter(isBytes).map(({ jsonName }) => jsonName);
  const json = Object.entries(toJson(input, message) as JsonObject);
  return Object.fromEntries(json.filter(([name]) => !names.includes(name)));
}

function isRightlyOther(own: TemplateText, other: Binding, path: string): boolean {
  const theirs = readTemplate(other.template.text);
  return takes(theirs, path) && isBefore(theirs, own);
}

function routerOf(bindings: readonly Binding[]): Router<Binding> {
  const { router, problems } = compileRouter(
    bindings.map((binding, ordinal) => ({
      name: 'corpus',
      priority: 0,
      hosts: [],
      paths: [{ kind: 'template' as const, text: binding.template.text }],
      methods: [binding.httpMethod],
      headers: [],
      createdRevision: 1n,
      ordinal,
      target: binding,
    })),
  );
  if (problems.length > 0) throw new Error(JSON.stringify(problems.slice(0, 3)));
  return router;
}

function keyOf({ httpMethod, method, template }: Binding): string {
  return `${httpMethod} ${template.text} ${method.path}`;
}
