import { create, toBinary } from '@bufbuild/protobuf';
import { MetaSchema, RouteSchema, ServiceSchema } from '../../../../proto/gen/sluice/v1/config_pb.js';
import {
  EndpointSetSchema,
  EndpointState,
  Kind,
  ResourceSchema,
  type Resource,
} from '../../../../proto/gen/sluice/v1/snapshot_pb.js';

/** The one endpoint of the service. */
export const endpoints = create(EndpointSetSchema, {
  service: 'all',
  endpoints: [{ id: 'one', address: '127.0.0.1', port: 80, weight: 1, state: EndpointState.ACTIVE }],
});

/** A route that takes every request as it is, and its service, which is tried once. */
export const resources: readonly Resource[] = [
  create(ResourceSchema, {
    kind: Kind.SERVICE,
    name: 'all',
    body: toBinary(ServiceSchema, create(ServiceSchema, { name: 'all', retries: { attempts: 0 } })),
  }),
  create(ResourceSchema, {
    kind: Kind.ROUTE,
    name: 'all',
    body: toBinary(
      RouteSchema,
      create(RouteSchema, {
        name: 'all',
        service: 'all',
        paths: [{ kind: { case: 'prefix', value: '/' } }],
        preserveHost: true,
        stripPath: false,
        meta: create(MetaSchema, { createdRevision: 1n, ordinal: 0 }),
      }),
    ),
  }),
];
