import { checkRoute } from '../../data-plane/router/router.js';
import { bindingCriteria, routeCriteria } from '../../data-plane/runtime/compile.js';

import type { RouteCriteria } from '../../data-plane/router/router.js';
import type { Binding } from '../../data-plane/transcoder/transcoder.js';
import type { Route } from '../../proto/gen/sluice/v1/config_pb.js';
import type { Fault } from './fault.js';

/** What is wrong with how a route matches, by the check that a node's router makes. */
export function checkMatching(route: Route): Fault[] {
  const criteria = routeCriteria(route);
  // A transcoded route has the paths of its bindings, and these are checked with the schema.
  const checked: RouteCriteria =
    route.transcode === undefined ? criteria : { ...criteria, paths: [{ kind: 'prefix', text: '/' }] };
  return checkRoute(checked).map(({ field, reason }) => ({ field, reason }));
}

/** A route as the router sees it: one entry, or one for each binding of a transcoded route. */
export function entriesOf(route: Route, bindings: readonly Binding[]): RouteCriteria[] {
  if (route.transcode === undefined) return [routeCriteria(route)];
  return bindings.map((binding) => bindingCriteria(route, binding));
}
