import { fromBinary } from '@bufbuild/protobuf';
import { HttpRuleSchema, type HttpRule } from '../../../proto/gen/google/api/http_pb.js';
import type { Method } from '../schema/types.js';

/** One way to reach a method: a google.api.HttpRule or one of its additional_bindings. */
export interface Rule {
  /** `*` takes any method. */
  readonly httpMethod: string;
  readonly template: string;
  readonly body: string;
  readonly responseBody: string;
}

const httpToken = /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32})$/;

/** The rules of a method's annotation, in order; a string says what is wrong with one. */
export function annotatedRules(method: Method): (Rule | string)[] {
  if (method.httpRule === null) return [];
  let rule: HttpRule;
  try {
    rule = fromBinary(HttpRuleSchema, method.httpRule);
  } catch {
    return ['its option google.api.http is not a google.api.HttpRule'];
  }
  return rulesOf(rule);
}

/** A rule and its additional_bindings. */
export function rulesOf(rule: HttpRule): (Rule | string)[] {
  return [readRule(rule), ...rule.additionalBindings.map(readAdditional)];
}

/** `POST /pkg.Service/Method` with the whole message as body (PT16). */
export function implicitRule(method: Method): Rule {
  return { httpMethod: 'POST', template: method.path, body: '*', responseBody: '' };
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
      return { httpMethod: pattern.case.toUpperCase(), template: pattern.value, body, responseBody };
    case 'custom':
      if (!httpToken.test(pattern.value.kind)) return 'custom.kind is not an HTTP method';
      return { httpMethod: pattern.value.kind, template: pattern.value.path, body, responseBody };
    case undefined:
      return 'the rule has no path: one of get, put, post, delete, patch and custom must be set';
  }
}
