import type { Transcode } from '../../../proto/gen/sluice/v1/config_pb.js';
import { canonicalTemplate, parseTemplate } from '../../router/router.js';
import { routeHabits, type Habits } from '../habits.js';
import { attempt, nowhere, type Schema, type SchemaProblem } from '../schema/schema.js';
import type { Method, ServiceType } from '../schema/types.js';
import type { Binding } from './binding.js';
import { RuleCompiler } from './compile.js';
import { hasRules, implicitRule, rulesOf, type Rule } from './rules.js';

export interface BindingOptions {
  /** Full names; every service of the set that has an http rule when empty. */
  readonly services: readonly string[];
  readonly habits: Habits;
}

/** What a route takes of a schema. */
export function bindingOptions(transcode: Transcode): BindingOptions {
  return { services: transcode.services, habits: routeHabits(transcode) };
}

/**
 * Compiles every http rule of the services, additional ones included, and the implicit `POST /pkg.Service/Method` of each
 * method. A rule with a fault is left out and reported, as are two rules of the same method and template (RT2).
 */
export function schemaBindings(
  schema: Schema,
  options: BindingOptions,
): { bindings: Binding[]; problems: SchemaProblem[] } {
  const collector = new Collector(schema, options.habits);
  for (const service of chosenServices(schema, options.services, collector.problems)) {
    for (const method of service.methods) collector.addMethod(method);
  }
  return { bindings: [...collector.bindings.values()], problems: collector.problems };
}

function chosenServices(schema: Schema, names: readonly string[], problems: SchemaProblem[]): ServiceType[] {
  const services: ServiceType[] = [];
  for (const name of names.length === 0 ? schema.services : names) {
    const service = attempt(problems, () => schema.service(name));
    if (service === undefined) {
      if (names.length > 0) problems.push({ ...nowhere, symbol: name, reason: 'the schema has no such service' });
    } else if (names.length > 0 || service.methods.some((method) => hasRules(schema, method))) {
      services.push(service);
    }
  }
  return services;
}

/** Gathers the bindings of methods and tells those apart that would match the same requests. */
class Collector {
  readonly bindings = new Map<string, Binding>();
  readonly problems: SchemaProblem[] = [];
  readonly #schema: Schema;
  readonly #compiler: RuleCompiler;
  readonly #takesImplicit: boolean;

  constructor(schema: Schema, habits: Habits) {
    this.#schema = schema;
    this.#compiler = new RuleCompiler(schema, habits);
    this.#takesImplicit = habits.implicitBindings;
  }

  addMethod(method: Method): void {
    for (const { rule, place } of rulesOf(this.#schema, method)) {
      if (typeof rule === 'string') this.#report(method, place, { reason: rule });
      else attempt(this.problems, () => this.#addRule(method, rule, place, true));
    }
    if (!this.#takesImplicit) return;
    attempt(this.problems, () => this.#addRule(method, implicitRule(method), '', false));
  }

  #addRule(method: Method, rule: Rule, place: string, isWritten: boolean): void {
    const { template } = rule;
    const parsed = parseTemplate(template);
    if (!parsed.ok) {
      this.#report(method, place, { template, column: parsed.column, reason: parsed.reason });
      return;
    }
    const key = `${rule.httpMethod} ${canonicalTemplate(parsed.template)}`;
    const other = this.bindings.get(key);
    if (other !== undefined) {
      const owner = other.method.path === method.path ? 'an earlier rule of the method' : other.method.path.slice(1);
      const reason = `${rule.httpMethod} ${template} is taken by ${owner}`;
      if (isWritten) this.#report(method, place, { template, reason });
      return;
    }
    const { binding, faults } = this.#compiler.compile(method, rule, parsed.template);
    for (const { column, reason } of faults) this.#report(method, place, { template, column, reason });
    if (binding !== null) this.bindings.set(key, binding);
  }

  /** Where the rule stands beside the descriptors, the file of the method says nothing. */
  #report({ file, service, name }: Method, place: string, fault: Partial<SchemaProblem>): void {
    this.problems.push({
      ...nowhere,
      reason: '',
      ...fault,
      file: place === '' ? file : '',
      symbol: `${service}.${name}`,
      rule: place,
    });
  }
}
