import type { Http, HttpRule } from '../../../proto/gen/google/api/http_pb.js';
import type { ServiceType } from './types.js';

/** An http rule that stands beside the descriptors. */
export interface ExternalRule {
  readonly rule: HttpRule;
  /** Its place among the rules, as `rules[3]`. */
  readonly place: string;
}

interface UnknownSelector {
  readonly symbol: string;
  readonly rule: string;
  readonly reason: string;
}

/** The `http` part of a google.api.Service: rules by the full name of the method. The last rule of a method counts (PT17). */
export class ExternalRules {
  readonly #bySelector = new Map<string, ExternalRule>();

  constructor(http: Http | undefined) {
    for (const [i, rule] of (http?.rules ?? []).entries())
      this.#bySelector.set(rule.selector, { rule, place: `rules[${i}]` });
  }

  of(method: string): ExternalRule | undefined {
    return this.#bySelector.get(method);
  }

  /** Rules that nothing in the schema has: a slip would otherwise be a route that is silently not there. */
  unknownSelectors(service: (name: string) => ServiceType | undefined): UnknownSelector[] {
    const methods = new Map<string, ReadonlySet<string> | null>();
    const unknown: UnknownSelector[] = [];
    for (const [selector, { place }] of this.#bySelector) {
      const dot = selector.lastIndexOf('.');
      const owner = selector.slice(0, Math.max(dot, 0));
      let known = methods.get(owner);
      if (known === undefined) {
        const found = service(owner);
        known = found === undefined ? null : new Set(found.methods.map(({ name }) => name));
        methods.set(owner, known);
      }
      if (known?.has(selector.slice(dot + 1)) === true) continue;
      unknown.push({ symbol: selector, rule: `${place}.selector`, reason: faultOf(selector, owner, known) });
    }
    return unknown;
  }
}

function faultOf(selector: string, owner: string, methods: ReadonlySet<string> | null): string {
  if (selector === '') return 'the rule has no selector: the full name of a method, as pkg.Service.Method';
  if (selector.includes('*')) return 'the selector must be the full name of one method';
  return methods === null ? `the schema has no service ${owner}` : `service ${owner} has no such method`;
}
