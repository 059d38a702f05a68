import type { Template, TemplateVariable } from '../../router/router.js';
import type { Codecs } from '../codec/codec.js';
import { takesText } from '../codec/text.js';
import { WireWriter } from '../codec/writer.js';
import type { Habits } from '../habits.js';
import type { Schema } from '../schema/schema.js';
import { isMap, isMessage, type Method, type MessageType } from '../schema/types.js';
import type { Binding } from './binding.js';
import { BodyPlan } from './body.js';
import { dottedName, lastOf, resolvePath, type FieldPath } from './fieldpath.js';
import { Parameters } from './parameters.js';
import { maskField } from './patch-mask.js';
import { RequestPlan, type BoundVariable, type PatchMask } from './request.js';
import { ResponsePlan } from './response.js';
import type { Rule } from './rules.js';

/** What is wrong with a rule; the column is of its template, 0 when the fault is not in it. */
export interface RuleFault {
  readonly column: number;
  readonly reason: string;
}

const utf8 = new TextEncoder();
/** A well-known type that a parameter gives stands alone, so nothing in it is unknown. */
const textOptions = { ignoreUnknown: false, keepZeros: false };

/** Compiles rules into bindings; what bindings of one message have in common is made once. */
export class RuleCompiler {
  readonly #schema: Schema;
  readonly #codecs: Codecs;
  readonly #habits: Habits;
  readonly #parameters = new Map<string, Parameters>();
  readonly #out = new WireWriter();

  constructor(schema: Schema, habits: Habits) {
    this.#schema = schema;
    this.#codecs = schema.codecs;
    this.#habits = habits;
  }

  /** The binding, or everything that is wrong with the rule. Throws SchemaError when a type of the method is not there. */
  compile(method: Method, rule: Rule, template: Template): { binding: Binding | null; faults: readonly RuleFault[] } {
    const input = method.input();
    const output = method.output();
    this.#schema.check(input.name);
    this.#schema.check(output.name);
    const faults: RuleFault[] = [];
    const variables = template.variables.map((variable) => bindVariable(input, variable, rule.template, faults));
    const bodyPath = optionPath(input, 'body', rule.body === '*' ? '' : rule.body, faults);
    const replyPath = optionPath(output, 'response_body', rule.responseBody, faults);
    if (faults.length > 0) return { binding: null, faults };
    const codecs = this.#codecs;
    const habits = this.#habits;
    const body = rule.body === '' ? null : new BodyPlan(input, bodyPath, codecs, habits);
    const mask = habits.fillUpdateMask && rule.httpMethod === 'PATCH' ? patchMask(input, bodyPath) : null;
    const request = new RequestPlan(variables, body, this.#parametersOf(input), habits, this.#out, mask);
    const response = new ResponsePlan(output, replyPath, codecs, habits);
    const { httpMethod } = rule;
    const schema = this.#schema;
    return { binding: { httpMethod, template, rule, schema, method, habits, request, response }, faults };
  }

  #parametersOf(type: MessageType): Parameters {
    let parameters = this.#parameters.get(type.name);
    if (parameters === undefined) {
      parameters = new Parameters(type, (wanted, json) => this.#codecs.read(wanted, utf8.encode(json), textOptions));
      this.#parameters.set(type.name, parameters);
    }
    return parameters;
  }
}

function bindVariable(
  input: MessageType,
  { name, multiSegment }: TemplateVariable,
  template: string,
  faults: RuleFault[],
): BoundVariable {
  const path = resolvePath(input, name);
  const reason = typeof path === 'string' ? path : variableFault(path);
  if (reason !== undefined) faults.push({ column: template.indexOf(`{${name}`) + 2, reason });
  return typeof path === 'string' ? { path: [], name, multiSegment } : { path, name: dottedName(path), multiSegment };
}

/** Section 1.12: the body is one message field, and the request has one FieldMask. */
function patchMask(input: MessageType, bodyPath: FieldPath): PatchMask | null {
  const field = maskField(input);
  const body = bodyPath[bodyPath.length - 1];
  if (field === undefined || body === undefined || !isMessage(body) || body.repeated || field === body) return null;
  return { field, type: body.message() };
}

/** Why a path variable cannot give this field (PT8), or undefined. */
function variableFault(path: FieldPath): string | undefined {
  const field = lastOf(path);
  if (isMap(field)) return `${dottedName(path)} is a map and cannot be a path variable`;
  if (!isMessage(field) || takesText(field, true)) return undefined;
  return `${dottedName(path)} is the message ${field.message().name} and cannot be a path variable`;
}

/** The field that `body` or `response_body` names; an empty path for the whole message. */
function optionPath(type: MessageType, option: string, dotted: string, faults: RuleFault[]): FieldPath {
  if (dotted === '') return [];
  const path = resolvePath(type, dotted);
  if (typeof path !== 'string') return path;
  faults.push({ column: 0, reason: `${option}: ${path}` });
  return [];
}
