import { canonicalTemplate, parseTemplate, type Template } from '../../router/router.js';
import type { Codecs } from '../codec/codec.js';
import { takesText } from '../codec/text.js';
import type { Profile } from '../profile.js';
import { attempt, type Schema, type SchemaProblem } from '../schema/schema.js';
import { isMap, isMessage, type Field, type Method, type ServiceType } from '../schema/types.js';
import { dottedName, resolvePath, type FieldPath } from './fieldpath.js';
import { Parameters } from './parameters.js';
import { RequestPlan, type BodyTarget, type BoundVariable } from './request.js';
import { ResponsePlan } from './response.js';
import { annotatedRules, implicitRule, type Rule } from './rules.js';

/** One way to call one method over HTTP, compiled. */
export interface Binding {
  /** `*` takes any method. */
  readonly httpMethod: string;
  readonly template: Template;
  readonly method: Method;
  readonly profile: Profile;
  readonly request: RequestPlan;
  readonly response: ResponsePlan;
}

export interface BindingOptions {
  /** Full names; every service of the set that has an http rule when empty. */
  readonly services: readonly string[];
  readonly profile: Profile;
}

/**
 * Compiles every http rule of the services, additional ones included, and the implicit `POST /pkg.Service/Method` of each
 * method. A rule with a fault is left out and reported, as are two rules of the same method and template (RT2).
 */
export function schemaBindings(
  schema: Schema,
  options: BindingOptions,
): { bindings: Binding[]; problems: SchemaProblem[] } {
  const compiler = new Compiler(schema.codecs, options.profile);
  for (const service of chosenServices(schema, options.services, compiler.problems)) {
    for (const method of service.methods) compiler.addMethod(method);
  }
  return { bindings: [...compiler.bindings.values()], problems: compiler.problems };
}

function chosenServices(schema: Schema, names: readonly string[], problems: SchemaProblem[]): ServiceType[] {
  const services: ServiceType[] = [];
  for (const name of names.length === 0 ? schema.services : names) {
    const service = attempt(problems, () => schema.service(name));
    if (service === undefined) {
      if (names.length > 0)
        problems.push({ file: '', symbol: name, template: '', column: 0, reason: 'the schema has no such service' });
    } else if (names.length > 0 || service.methods.some((method) => method.httpRule !== null)) {
      services.push(service);
    }
  }
  return services;
}

const utf8 = new TextEncoder();
/** A well-known type that a parameter gives stands alone, so nothing in it is unknown. */
const textOptions = { ignoreUnknown: false, keepZeros: false };

class Compiler {
  readonly bindings = new Map<string, Binding>();
  readonly problems: SchemaProblem[] = [];
  readonly #codecs: Codecs;
  readonly #profile: Profile;
  readonly #parameters = new Map<string, Parameters>();

  constructor(codecs: Codecs, profile: Profile) {
    this.#codecs = codecs;
    this.#profile = profile;
  }

  addMethod(method: Method): void {
    for (const rule of annotatedRules(method)) {
      if (typeof rule === 'string') this.#report(method, '', 0, rule);
      else attempt(this.problems, () => this.#addRule(method, rule, true));
    }
    attempt(this.problems, () => this.#addRule(method, implicitRule(method), false));
  }

  #addRule(method: Method, rule: Rule, written: boolean): void {
    const parsed = parseTemplate(rule.template);
    if (!parsed.ok) {
      this.#report(method, rule.template, parsed.column, parsed.reason);
      return;
    }
    const key = `${rule.httpMethod} ${canonicalTemplate(parsed.template)}`;
    const other = this.bindings.get(key);
    if (other !== undefined) {
      const same = other.method.path === method.path ? 'an earlier rule of the method' : other.method.path.slice(1);
      if (written) this.#report(method, rule.template, 0, `${rule.httpMethod} ${rule.template} is taken by ${same}`);
      return;
    }
    const binding = this.#compile(method, rule, parsed.template);
    if (binding !== undefined) this.bindings.set(key, binding);
  }

  #compile(method: Method, rule: Rule, template: Template): Binding | undefined {
    const input = method.input();
    const output = method.output();
    this.#codecs.link(input);
    this.#codecs.link(output);
    const before = this.problems.length;
    const variables = template.variables.map(({ name, multiSegment }): BoundVariable => {
      const path = resolvePath(input, name);
      const fault = typeof path === 'string' ? path : variableFault(path);
      if (fault !== undefined) this.#report(method, rule.template, columnOf(rule.template, name), fault);
      return { path: typeof path === 'string' ? [] : path, multiSegment };
    });
    const body = bodyTarget(rule.body, (dotted) => this.#path(method, rule, 'body', () => resolvePath(input, dotted)));
    const replied =
      rule.responseBody === ''
        ? []
        : this.#path(method, rule, 'response_body', () => resolvePath(output, rule.responseBody));
    if (this.problems.length > before) return undefined;
    return {
      httpMethod: rule.httpMethod,
      template,
      method,
      profile: this.#profile,
      request: new RequestPlan(input, variables, body, this.#parametersOf(method), this.#codecs, this.#profile),
      response: new ResponsePlan(output, replied, this.#codecs, this.#profile),
    };
  }

  #path(method: Method, rule: Rule, option: string, resolve: () => FieldPath | string): FieldPath {
    const path = resolve();
    if (typeof path !== 'string') return path;
    this.#report(method, rule.template, 0, `${option}: ${path}`);
    return [];
  }

  #parametersOf(method: Method): Parameters {
    const type = method.input();
    let parameters = this.#parameters.get(type.name);
    if (parameters === undefined) {
      parameters = new Parameters(type, (wanted, json) => this.#codecs.read(wanted, utf8.encode(json), textOptions));
      this.#parameters.set(type.name, parameters);
    }
    return parameters;
  }

  #report(method: Method, template: string, column: number, reason: string): void {
    this.problems.push({ file: method.file, symbol: `${method.service}.${method.name}`, template, column, reason });
  }
}

function bodyTarget(body: string, resolve: (dotted: string) => FieldPath): BodyTarget {
  if (body === '') return { kind: 'none' };
  return body === '*' ? { kind: 'whole' } : { kind: 'field', path: resolve(body) };
}

/** Why a path variable cannot give this field (PT8), or undefined. */
function variableFault(path: FieldPath): string | undefined {
  const field = path[path.length - 1] as Field;
  if (isMap(field)) return `${dottedName(path)} is a map and cannot be a path variable`;
  if (!isMessage(field) || takesText(field, true)) return undefined;
  return `${dottedName(path)} is the message ${field.message().name} and cannot be a path variable`;
}

function columnOf(template: string, variable: string): number {
  return template.indexOf(`{${variable}`) + 2;
}
