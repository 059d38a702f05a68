import { fromBinary } from '@bufbuild/protobuf';
import { HttpRuleSchema, type HttpRule } from '../../../proto/gen/google/api/http_pb.js';
import type { Schema } from '../schema/schema.js';
import type { Method } from '../schema/types.js';

/** One way to reach a method: a google.api.HttpRule or one of its additional_bindings. */
export interface Rule {
  /** `*` takes any method. */
  readonly httpMethod: string;
  readonly template: string;
  readonly body: string;
  readonly responseBody: string;
  /** Nobody wrote it: every method can be called so. */
  readonly implicit: boolean;
}

/** A rule as it was found, or in words what is wrong with it. */
export interface FoundRule {
  readonly rule: Rule | string;
  /** Where it stands in rules beside the descriptors; '' for an annotation. */
  readonly place: string;
}

const httpToken = /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32})$/;

/** The rules of a method, in order: those beside the descriptors if there are any (PT17), else its annotation. */
export function rulesOf(schema: Schema, method: Method): FoundRule[] {
  const external = schema.externalRule(`${method.service}.${method.name}`);
  if (external !== undefined) return flatten(external.rule, external.place);
  if (method.httpRule === null) return [];
  let rule: HttpRule;
  try {
    rule = fromBinary(HttpRuleSchema, method.httpRule);
  } catch {
    return [{ rule: 'its option google.api.http is not a google.api.HttpRule', place: '' }];
  }
  return flatten(rule, '');
}

export function hasRules(schema: Schema, method: Method): boolean {
  return method.httpRule !== null || schema.externalRule(`${method.service}.${method.name}`) !== undefined;
}

/** Every rule of a schema that can be read, in order, with its method: what there is to say of routes without compiling them. */
export function writtenRules(schema: Schema): { readonly method: Method; readonly rule: Rule }[] {
  return schema.services.flatMap((name) =>
    (schema.service(name)?.methods ?? []).flatMap((method) =>
      rulesOf(schema, method).flatMap(({ rule }) => (typeof rule === 'string' ? [] : [{ method, rule }])),
    ),
  );
}

/** A rule and its additional_bindings. */
function flatten(rule: HttpRule, place: string): FoundRule[] {
  const additional = rule.additionalBindings.map((each, i) => ({
    rule: readAdditional(each),
    place: place === '' ? '' : `${place}.additional_bindings[${i}]`,
  }));
  return [{ rule: readRule(rule), place }, ...additional];
}

/** `POST /pkg.Service/Method` with the whole message as body (PT16). */
export function implicitRule(method: Method): Rule {
  return { httpMethod: 'POST', template: method.path, body: '*', responseBody: '', implicit: true };
}

function readAdditional(rule: HttpRule): Rule | string {
  return rule.additionalBindings.length > 0 ? 'additional_bindings cannot hold additional_bindings' : readRule(rule);
}

function readRule({ pattern, body, responseBody }: HttpRule): Rule | string {
  switch (pattern.case) {
    case 'get':
    case 'put':
    case 'post':
    case 'delete':
    case 'patch':
      return { httpMethod: pattern.case.toUpperCase(), template: pattern.value, body, responseBody, implicit: false };
    case 'custom':
      if (!httpToken.test(pattern.value.kind)) return 'custom.kind is not an HTTP method';
      return { httpMethod: pattern.value.kind, template: pattern.value.path, body, responseBody, implicit: false };
    case undefined:
      return 'the rule has no path: one of get, put, post, delete, patch and custom must be set';
  }
}
