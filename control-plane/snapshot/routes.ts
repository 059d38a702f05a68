import { Protocol, RouteProtocol } from '../../proto/gen/sluice/v1/config_pb.js';
import { Kind } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { keyOf } from '../../proto/snapshot/snapshot.js';
import { checkTimeouts } from './timeouts.js';

import type { Route, Schema, Service } from '../../proto/gen/sluice/v1/config_pb.js';
import type { Fault } from './fault.js';
import type { Config } from './resources.js';

/** How a route fits the rest of the config: what it refers to is there, and is of the kind that the route needs. */
export function checkReferences(route: Route, config: Config): Fault[] {
  const service = config.services.get(route.service);
  if (service === undefined) {
    return [
      { field: 'service', reason: absence(Kind.SERVICE, 'service', route.service, config) },
      ...missingSchema(route, config),
    ];
  }
  return [
    ...checkProtocol(route, service),
    ...missingSchema(route, config),
    ...checkTimeouts(route.timeouts, service.timeouts),
  ];
}

/** A schema that is read from a service needs one that can be asked. */
export function checkReflect({ reflect }: Schema, config: Config): Fault[] {
  if (reflect === undefined) return [];
  const service = config.services.get(reflect.service);
  if (service === undefined)
    return [{ field: 'reflect.service', reason: absence(Kind.SERVICE, 'service', reflect.service, config) }];
  if (service.protocol === Protocol.GRPC || service.protocol === Protocol.GRPCS) return [];
  const reason = `service "${service.name}" does not speak grpc or grpcs, which reflection needs`;
  return [{ field: 'reflect.service', reason }];
}

/** What can be said of a route alone, beyond how it matches. */
export function checkShape(route: Route): Fault[] {
  return [
    ...(route.transcode === undefined ? [] : checkTranscoded(route)),
    ...(route.grpc.length === 0 ? [] : checkGrpc(route)),
    ...checkRedirect(route),
    ...checkHeaderValues(route),
  ];
}

function missingSchema({ transcode }: Route, config: Config): Fault[] {
  if (transcode === undefined || config.schemas.has(transcode.schema)) return [];
  return [{ field: 'transcode.schema', reason: absence(Kind.SCHEMA, 'schema', transcode.schema, config) }];
}

function absence(kind: Kind, word: string, name: string, { leftOut }: Config): string {
  return leftOut.has(keyOf({ kind, name }))
    ? `${word} "${name}" is left out because of a problem of its own`
    : `there is no ${word} "${name}"`;
}

function checkProtocol(route: Route, { name, protocol }: Service): Fault[] {
  const speaksGrpc = protocol === Protocol.GRPC || protocol === Protocol.GRPCS;
  if (route.transcode !== undefined && !speaksGrpc) {
    return [
      { field: 'service', reason: `service "${name}" does not speak grpc or grpcs, which a transcoded route needs` },
    ];
  }
  if (route.grpc.length > 0 && !speaksGrpc) {
    return [{ field: 'grpc', reason: `service "${name}" does not speak grpc or grpcs` }];
  }
  return [];
}

/** A call is a POST to the path of its method, and that is matched by both names. */
function checkGrpc({ paths, methods, stripPath, grpc }: Route): Fault[] {
  const faults: Fault[] = [];
  if (paths.length > 0) faults.push({ field: 'paths', reason: 'must not be set with grpc, which gives the paths' });
  if (methods.length > 0) faults.push({ field: 'methods', reason: 'must not be set with grpc: calls are POST' });
  if (stripPath === true) faults.push({ field: 'strip_path', reason: 'would take the name of the method off a call' });
  const seen = new Map<string, number>();
  for (const [i, { service, method }] of grpc.entries()) {
    const first = seen.get(`${service}/${method}`);
    if (first !== undefined) faults.push({ field: `grpc[${i}]`, reason: `is the same as grpc[${first}]` });
    seen.set(`${service}/${method}`, i);
  }
  return faults;
}

function checkTranscoded({ paths, methods, rewrite, grpc }: Route): Fault[] {
  const fromRules = 'must not be set with transcode: the http rules of the schema give';
  const faults: Fault[] = [];
  if (paths.length > 0) faults.push({ field: 'paths', reason: `${fromRules} the paths` });
  if (methods.length > 0) faults.push({ field: 'methods', reason: `${fromRules} the methods` });
  if (grpc.length > 0) faults.push({ field: 'grpc', reason: `${fromRules} the paths, those of gRPC calls among them` });
  if (rewrite !== '') faults.push({ field: 'rewrite', reason: `${fromRules} the method to call` });
  return faults;
}

function checkRedirect({ httpsRedirect, protocols }: Route): Fault[] {
  if (httpsRedirect === 0) return [];
  if (protocols.length === 1 && protocols[0] === RouteProtocol.HTTPS) return [];
  return [{ field: 'https_redirect', reason: 'needs protocols to be https alone' }];
}

/** Values arrive without the space around them and cannot hold control characters, so these would never match. */
function checkHeaderValues({ headers }: Route): Fault[] {
  return headers.flatMap(({ values }, i) =>
    values.flatMap((value, j) =>
      isHeaderValue(value)
        ? []
        : [{ field: `headers[${i}].values[${j}]`, reason: 'is not what a header field can hold' }],
    ),
  );
}

function isHeaderValue(value: string): boolean {
  return value.trim() === value && !/\p{Cc}/u.test(value.replaceAll('\t', ''));
}
