import { bindingOptions, habitsOf, loadSchema, schemaBindings } from '../../data-plane/transcoder/transcoder.js';

import type { Schema as Descriptors, Binding, SchemaProblem } from '../../data-plane/transcoder/transcoder.js';
import type { Schema, Transcode } from '../../proto/gen/sluice/v1/config_pb.js';
import type { Fault } from './fault.js';

export interface LoadedSchema {
  /** Null when the set cannot be read at all. */
  readonly descriptors: Descriptors | null;
  /** Every bad file and http rule, whether or not a route uses it. */
  readonly faults: readonly Fault[];
}

export interface BindingCheck {
  readonly bindings: readonly Binding[];
  readonly faults: readonly Fault[];
}

export type SchemaContent = Pick<Schema, 'descriptorSet' | 'httpRules' | 'reflect'>;

const maxFaults = 100;
/** googleapis has 28,727. Compiling these takes seconds, in which nothing else is answered. */
const maxRoutes = 50_000;

const notGiven: LoadedSchema = {
  descriptors: null,
  faults: [setFault('is required, unless reflect says which service to read it from')],
};
/** The routes that use it serve nothing until the service has answered. */
const notYetRead: LoadedSchema = { descriptors: null, faults: [] };

/** Descriptors come from anybody: one that the transcoder stumbles over is a fault like any other. */
export function loadDescriptors({ descriptorSet, httpRules, reflect }: SchemaContent): LoadedSchema {
  if (descriptorSet.length === 0) return reflect === undefined ? notGiven : notYetRead;
  try {
    const { schema, problems } = loadSchema(descriptorSet, httpRules);
    const inRules = schema === null ? [] : checkRules(schema);
    return { descriptors: schema, faults: fewFaults([...problems, ...inRules]) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { descriptors: null, faults: [setFault(`cannot be used: ${reason}`)] };
  }
}

function faultOf(problem: SchemaProblem): Fault {
  const reason = inWords(problem);
  return problem.rule === '' ? setFault(reason) : { field: `http_rules.${problem.rule}`, reason };
}

function setFault(reason: string): Fault {
  return { field: 'descriptor_set', reason };
}

/** Nobody reads a hundred thousand, and no answer can hold them. */
function fewFaults(problems: readonly SchemaProblem[]): Fault[] {
  const faults = problems.slice(0, maxFaults).map(faultOf);
  const more = problems.length - faults.length;
  return more === 0 ? faults : [...faults, setFault(`and ${more} more faults`)];
}

/** Services are looked at one by one: two whose rules collide may still be served by two routes. */
function checkRules(descriptors: Descriptors): SchemaProblem[] {
  const found: SchemaProblem[] = [];
  let routes = 0;
  for (const service of descriptors.services) {
    const { bindings, problems } = schemaBindings(descriptors, {
      services: [service],
      habits: habitsOf('grpc-gateway'),
    });
    for (const problem of problems) found.push(problem);
    routes += bindings.length;
    if (routes <= maxRoutes) continue;
    const reason = `the schema has more than ${maxRoutes} methods and http rules`;
    return [...found, { file: '', symbol: '', template: '', column: 0, rule: '', reason }];
  }
  return found;
}

/** The bindings that a route takes from a schema. Faults are in the route's own fields. */
export function chooseBindings(descriptors: Descriptors, transcode: Transcode): BindingCheck {
  const { services, schema } = transcode;
  const unknown = services.flatMap((name, i) =>
    descriptors.services.includes(name)
      ? []
      : [{ field: `transcode.services[${i}]`, reason: `schema "${schema}" has no service ${name}` }],
  );
  if (unknown.length > 0) return { bindings: [], faults: unknown };
  const { bindings, problems } = schemaBindings(descriptors, bindingOptions(transcode));
  if (bindings.length === 0 && problems.length === 0) {
    const reason = `no service of schema "${schema}" has http rules: name the services to serve in transcode.services`;
    return { bindings, faults: [{ field: 'transcode.schema', reason }] };
  }
  return { bindings, faults: problems.map((problem) => ({ field: 'transcode.services', reason: inWords(problem) })) };
}

/** `library.proto: acme.Library.GetBook: template "/v1/{x": column 5: the variable is not closed`, as far as each part is known. */
function inWords({ file, symbol, template, column, reason }: SchemaProblem): string {
  const parts = [
    file,
    symbol,
    template === '' ? '' : `template ${JSON.stringify(template)}`,
    column === 0 ? '' : `column ${column}`,
    reason,
  ];
  return parts.filter((part) => part !== '').join(': ');
}
