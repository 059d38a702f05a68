import { canonicalTemplate, parseTemplate } from '../../data-plane/router/router.js';
import { writtenRules } from '../../data-plane/transcoder/transcoder.js';

import type { Binding, Schema as Descriptors } from '../../data-plane/transcoder/transcoder.js';

/** One thing that callers of a schema meet otherwise than before. */
export interface Difference {
  /** Callers that worked before may fail. */
  readonly breaking: boolean;
  /** Full name of the service, method, message, field or enum value. */
  readonly symbol: string;
  readonly description: string;
}

type Message = NonNullable<ReturnType<Descriptors['message']>>;
type Field = Message['fields'][number];
type Enum = ReturnType<Field['enumeration']>;
type Method = Binding['method'];

/** Beyond this nobody reads on; the breaking ones come first. */
const maxDifferences = 1_000;

/**
 * What differs for those who call the services of a schema, over gRPC or as REST: services, methods, all messages that these reach,
 * and http rules. Breaking differences come first, each in the order of the schema.
 */
export function compareSchemas(before: Descriptors, after: Descriptors): Difference[] {
  const comparison = new Comparison(before, after);
  comparison.run();
  const { found } = comparison;
  const ordered = [...found.filter(({ breaking }) => breaking), ...found.filter(({ breaking }) => !breaking)];
  if (ordered.length <= maxDifferences) return ordered;
  const left = ordered.length - maxDifferences;
  const breaking = ordered.slice(maxDifferences).some((difference) => difference.breaking);
  return [...ordered.slice(0, maxDifferences), { breaking, symbol: '', description: `and ${left} more differences` }];
}

class Comparison {
  readonly found: Difference[] = [];
  readonly #before: Descriptors;
  readonly #after: Descriptors;
  readonly #seen = new Set<string>();
  /** Pairs of messages to compare, so that depth costs no stack. */
  readonly #open: [Message, Message][] = [];

  constructor(before: Descriptors, after: Descriptors) {
    this.#before = before;
    this.#after = after;
  }

  run(): void {
    for (const name of this.#before.services) this.#service(name);
    for (const name of this.#after.services)
      if (!this.#before.services.includes(name)) this.#add(false, name, 'the service is new');
    for (let pair = this.#open.pop(); pair !== undefined; pair = this.#open.pop()) this.#message(...pair);
    this.#rules();
  }

  #add(breaking: boolean, symbol: string, description: string): void {
    this.found.push({ breaking, symbol, description });
  }

  #service(name: string): void {
    const was = this.#before.service(name);
    const is = this.#after.service(name);
    if (was === undefined) return;
    if (is === undefined) return this.#add(true, name, 'the service is gone');
    const methods = new Map(is.methods.map((method) => [method.name, method]));
    for (const method of was.methods) {
      const now = methods.get(method.name);
      const symbol = `${name}.${method.name}`;
      methods.delete(method.name);
      if (now === undefined) this.#add(true, symbol, 'the method is gone');
      else this.#method(symbol, method, now);
    }
    for (const added of methods.keys()) this.#add(false, `${name}.${added}`, 'the method is new');
  }

  #method(symbol: string, was: Method, is: Method): void {
    if (streams(was) !== streams(is)) this.#add(true, symbol, `was ${streams(was)} and is ${streams(is)}`);
    this.#typeOf(symbol, 'request', was.input(), is.input());
    this.#typeOf(symbol, 'response', was.output(), is.output());
  }

  #typeOf(symbol: string, what: string, was: Message, is: Message): void {
    if (was.name === is.name) this.#reach(was, is);
    else this.#add(true, symbol, `its ${what} was ${was.name} and is ${is.name}`);
  }

  #reach(was: Message, is: Message): void {
    if (this.#seen.has(was.name)) return;
    this.#seen.add(was.name);
    this.#open.push([was, is]);
  }

  #message(was: Message, is: Message): void {
    const now = new Map(is.fields.map((field) => [field.name, field]));
    const byNumber = new Map(is.fields.map((field) => [field.number, field]));
    const former = new Set(was.fields.map(({ name }) => name));
    for (const field of was.fields) {
      const symbol = `${was.name}.${field.name}`;
      const same = now.get(field.name);
      const renamed = byNumber.get(field.number);
      if (same !== undefined) this.#field(symbol, field, same, was, is);
      else if (renamed !== undefined && !former.has(renamed.name)) {
        this.#add(true, symbol, `the field is called ${renamed.name} now, which changes its JSON`);
        this.#field(symbol, field, renamed, was, is);
      } else this.#add(true, symbol, 'the field is gone');
    }
    const numbers = new Set(was.fields.map(({ number }) => number));
    for (const field of is.fields)
      if (!former.has(field.name) && !numbers.has(field.number))
        this.#add(false, `${is.name}.${field.name}`, 'the field is new');
  }

  #field(symbol: string, was: Field, is: Field, inWas: Message, inIs: Message): void {
    const change = (what: string, former: string | number, now: string | number): void => {
      if (former !== now) this.#add(true, symbol, `its ${what} was ${former} and is ${now}`);
    };
    change('number', was.number, is.number);
    if (was.name === is.name) change('JSON name', was.jsonName, is.jsonName);
    change('type', typeText(was), typeText(is));
    change('label', labelOf(was), labelOf(is));
    change('oneof', oneofOf(was, inWas), oneofOf(is, inIs));
    if (was.presence !== is.presence && labelOf(was) === labelOf(is)) {
      const description = is.presence ? 'unset can be told from its default now' : 'unset is its default now';
      this.#add(false, symbol, description);
    }
    if (was.kind !== is.kind || was.typeName === '' || was.typeName !== is.typeName) return;
    if (was.kind === enumKind) this.#enum(was.enumeration(), is.enumeration());
    else this.#reach(was.message(), is.message());
  }

  #enum(was: Enum, is: Enum): void {
    if (this.#seen.has(was.name)) return;
    this.#seen.add(was.name);
    for (const [name, number] of was.numbers) {
      const now = is.numbers.get(name);
      const symbol = `${was.name}.${name}`;
      if (now === undefined) this.#add(true, symbol, 'the enum value is gone');
      else if (now !== number) this.#add(true, symbol, `its number was ${number} and is ${now}`);
    }
    for (const name of is.numbers.keys())
      if (!was.numbers.has(name)) this.#add(false, `${is.name}.${name}`, 'the enum value is new');
  }

  #rules(): void {
    const was = routesOf(this.#before);
    const is = routesOf(this.#after);
    for (const [route, rule] of was) {
      const now = is.get(route);
      const { symbol, text } = rule;
      if (now === undefined) this.#add(true, symbol, `${text} is not served any more`);
      else if (now.symbol !== symbol) this.#add(true, symbol, `${text} calls ${now.symbol} now`);
      else this.#rule(rule, now);
    }
    for (const [route, { symbol, text }] of is) if (!was.has(route)) this.#add(false, symbol, `${text} is new`);
  }

  #rule(was: RouteRule, is: RouteRule): void {
    for (const part of ['variables', 'body', 'response_body'] as const)
      if (was[part] !== is[part])
        this.#add(true, was.symbol, `${part} of ${is.text} was ${quoted(was[part])} and is ${quoted(is[part])}`);
  }
}

const enumKind = 14;

interface RouteRule {
  /** As it is written. */
  readonly text: string;
  readonly symbol: string;
  readonly variables: string;
  readonly body: string;
  readonly response_body: string;
}

/** The rules that somebody wrote, by the requests that they match; names of variables do not matter for that. */
function routesOf(descriptors: Descriptors): Map<string, RouteRule> {
  const routes = new Map<string, RouteRule>();
  for (const { method, rule } of writtenRules(descriptors)) {
    const parsed = parseTemplate(rule.template);
    if (!parsed.ok) continue;
    routes.set(`${rule.httpMethod} ${canonicalTemplate(parsed.template)}`, {
      text: `${rule.httpMethod} ${rule.template}`,
      symbol: `${method.service}.${method.name}`,
      variables: parsed.template.variables.map(({ name }) => name).join(', '),
      body: rule.body,
      response_body: rule.responseBody,
    });
  }
  return routes;
}

function streams({ clientStreaming, serverStreaming }: Method): string {
  if (clientStreaming) return serverStreaming ? 'a bidirectional stream' : 'a client stream';
  return serverStreaming ? 'a server stream' : 'unary';
}

/** By google.protobuf.FieldDescriptorProto.Type. */
const typeNames =
  ' double float int64 uint64 int32 fixed64 fixed32 bool string group message bytes uint32 enum sfixed32 sfixed64 sint32 sint64'.split(
    ' ',
  );

function typeText({ kind, typeName }: Field): string {
  return typeName === '' ? (typeNames[kind] ?? '') : typeName;
}

function labelOf({ repeated }: Field): string {
  return repeated ? 'repeated' : 'singular';
}

function oneofOf({ oneof, synthetic }: Field, message: Message): string {
  return oneof < 0 || synthetic ? 'none' : (message.oneofs[oneof] ?? 'none');
}

function quoted(part: string): string {
  return part === '' ? 'none' : `"${part}"`;
}
