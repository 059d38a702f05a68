import { create } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';

import { RouteSchema, ServiceSchema } from '../../proto/gen/sluice/v1/config_pb.js';
import { ConfigVersionSchema, Kind } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { sortResources } from '../../proto/snapshot/snapshot.js';
import { httpService, prefixRoute } from '../../test/support/admin-config.js';
import { AdminError, code } from '../errors.js';
import { checkState } from '../snapshot/snapshot.js';
import { kindOf, toResource } from './convert.js';
import { plan } from './plan.js';

import type { Resource } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { State } from '../store/store.js';
import type { ConfigMessage } from './convert.js';
import type { Edit, Put } from './plan.js';

const nowMs = 1_700_000_000_000;
const orders = create(ServiceSchema, httpService());
const read = create(RouteSchema, prefixRoute());
/** A route that no longer passes, as after an upgrade to stricter checks. */
const lost = create(RouteSchema, { ...prefixRoute('lost'), service: 'gone' });

function stored(kind: Kind, message: ConfigMessage): Resource {
  return toResource(kindOf(kind), message, undefined, { revision: 3n, ordinal: 0, nowMs });
}

function stateOf(...resources: Resource[]): State {
  return {
    version: create(ConfigVersionSchema, { revision: 3n }),
    commitTimeMs: nowMs,
    resources: sortResources(resources),
  };
}

function put(kind: Kind, message: ConfigMessage, field = 'it'): Put {
  return { row: kindOf(kind), message, field, ordinal: 0 };
}

function planned(state: State, edit: Partial<Edit>) {
  return plan(state, { puts: [], deletes: [], ...edit }, nowMs, checkState);
}

function refusalOf(work: () => unknown): AdminError {
  try {
    work();
  } catch (error) {
    if (error instanceof AdminError) return error;
  }
  throw new Error('was not refused');
}

test('a fault that is there already does not stop a change that has nothing to do with it', () => {
  const state = stateOf(stored(Kind.SERVICE, orders), stored(Kind.ROUTE, lost));

  const { change } = planned(state, { puts: [put(Kind.ROUTE, read)] });

  expect(change.upserts.map(({ name }) => name)).toEqual(['orders-read']);
});

test('a faulty resource cannot be written again as it is, only mended or deleted', () => {
  const state = stateOf(stored(Kind.SERVICE, orders), stored(Kind.ROUTE, lost));
  const stillLost = create(RouteSchema, { ...prefixRoute('lost'), service: 'gone', priority: 1 });

  const refusal = refusalOf(() => planned(state, { puts: [put(Kind.ROUTE, stillLost)] }));

  expect(refusal.violations).toEqual([{ field: 'it.service', description: 'there is no service "gone"' }]);
  expect(
    planned(state, { puts: [put(Kind.ROUTE, create(RouteSchema, prefixRoute('lost')))] }).change.upserts,
  ).toHaveLength(1);
  expect(planned(state, { deletes: [{ kind: Kind.ROUTE, name: 'lost' }] }).change.deletes).toHaveLength(1);
});

test('a resource that is as wanted is left alone, whatever Meta the caller sends', () => {
  const state = stateOf(stored(Kind.SERVICE, orders));
  const withMeta = create(ServiceSchema, { ...httpService(), meta: { revision: 77n, etag: 'x' } });

  expect(planned(state, { puts: [put(Kind.SERVICE, withMeta)] })).toEqual({
    change: { upserts: [], deletes: [] },
    changes: [],
  });
});

test('what is deleted but not there is no change', () => {
  expect(planned(stateOf(), { deletes: [{ kind: Kind.ROUTE, name: 'x' }] }).change).toEqual({
    upserts: [],
    deletes: [],
  });
});

test('the same edit on the same state gives the same bytes', () => {
  const edit = { puts: [put(Kind.SERVICE, orders), put(Kind.ROUTE, read)] };

  expect(planned(stateOf(), edit)).toEqual(planned(stateOf(), edit));
});

test('faults in what was sent come before those in other resources, and decide the code', () => {
  const state = stateOf(stored(Kind.SERVICE, orders), stored(Kind.ROUTE, read));
  const other = create(RouteSchema, { ...prefixRoute('new', 'gone'), hosts: ['b.example'] });
  const edit = { puts: [put(Kind.ROUTE, other, 'routes[0]')], deletes: [{ kind: Kind.SERVICE, name: 'orders' }] };

  const refusal = refusalOf(() => planned(state, edit));

  expect(refusal.code).toBe(code.invalidArgument);
  expect(refusal.violations.map(({ field }) => field)).toEqual(['routes[0].service', 'route "orders-read".service']);
});
