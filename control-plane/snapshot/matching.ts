import { checkRoute } from '../../data-plane/router/router.js';

import type { PathRule, RouteCriteria } from '../../data-plane/router/router.js';
import type { Binding } from '../../data-plane/transcoder/transcoder.js';
import type { PathMatch, Route } from '../../proto/gen/sluice/v1/config_pb.js';
import type { Fault } from './fault.js';

/** What is wrong with how a route matches, by the check that a node's router makes. */
export function checkMatching(route: Route): Fault[] {
  // A transcoded route has the paths of its bindings, and these are checked with the schema.
  const paths: readonly PathRule[] =
    route.transcode === undefined ? plainPaths(route.paths) : [{ kind: 'prefix', text: '/' }];
  return checkRoute({ ...criteria(route), paths, methods: route.methods }).map(({ field, reason }) => ({
    field,
    reason,
  }));
}

/** A route as the router sees it: one entry, or one for each binding of a transcoded route. */
export function routeCriteria(route: Route, bindings: readonly Binding[]): RouteCriteria[] {
  if (route.transcode === undefined)
    return [{ ...criteria(route), paths: plainPaths(route.paths), methods: route.methods }];
  return bindings.map(({ httpMethod, template, method, profile }) => ({
    ...criteria(route),
    detail: `${method.service}.${method.name}`,
    paths: [{ kind: 'template', text: template.text, trailingSlash: profile === 'envoy' ? 'strip' : 'strict' }],
    methods: httpMethod === '*' ? [] : [httpMethod],
  }));
}

function criteria({ name, priority, hosts, headers, meta }: Route): Omit<RouteCriteria, 'paths' | 'methods'> {
  return {
    name,
    priority,
    hosts,
    headers,
    createdRevision: meta?.createdRevision ?? 0n,
    ordinal: meta?.ordinal ?? 0,
  };
}

function plainPaths(paths: readonly PathMatch[]): PathRule[] {
  return paths.flatMap(({ kind }): PathRule[] => {
    switch (kind.case) {
      case 'prefix':
      case 'exact':
      case 'template':
        return [{ kind: kind.case, text: kind.value }];
      case 'segmentPrefix':
        return [{ kind: 'segment_prefix', text: kind.value }];
      case 'regex':
        return [{ kind: 'regex', pattern: kind.value.pattern, priority: kind.value.priority }];
      case undefined:
        return [];
    }
  });
}
