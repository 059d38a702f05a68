import { create } from '@bufbuild/protobuf';

import {
  ListSchemaStatusResponseSchema,
  SchemaStatusSchema,
  type Admin,
  type SchemaStatus,
} from '../../proto/gen/sluice/v1/admin_pb.js';
import { Kind, ReflectionStatusSchema, type Resource } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { sha256 } from '../../proto/snapshot/snapshot.js';
import { descriptorsOf, type CheckMemo } from '../snapshot/snapshot.js';
import { fromResource, schemaKind } from './convert.js';

import type { Store } from '../store/store.js';
import type { Handlers } from './grpc/grpc.js';
import type { ReflectionTable } from './tables.js';

/** What schemas hold and where it came from, without the descriptors themselves. */
export function schemaStatusHandlers(
  store: Store,
  reflections: ReflectionTable,
  memo: CheckMemo,
): Pick<Handlers<typeof Admin>, 'listSchemaStatus'> {
  const known = new WeakMap<Resource, SchemaStatus>();
  const contentOf = (resource: Resource): SchemaStatus => {
    const status = known.get(resource) ?? describe(resource, memo);
    known.set(resource, status);
    return status;
  };
  return {
    listSchemaStatus: async () => {
      const { resources } = await store.read();
      const schemas = resources
        .filter(({ kind }) => kind === Kind.SCHEMA)
        .map((resource) => withReflection(contentOf(resource), reflections));
      return create(ListSchemaStatusResponseSchema, { schemas });
    },
  };
}

/** `reflection` is there, and empty, when the schema is read from a service. */
function describe(resource: Resource, memo: CheckMemo): SchemaStatus {
  const { name, descriptorSet, reflect } = fromResource(schemaKind, resource);
  const descriptors = descriptorsOf(resource, memo);
  return create(SchemaStatusSchema, {
    name,
    digest: descriptorSet.length === 0 ? '' : Buffer.from(sha256(descriptorSet)).toString('hex'),
    bytes: descriptorSet.length,
    files: descriptors?.files.length ?? 0,
    services: [...(descriptors?.services ?? [])],
    ...(reflect === undefined ? {} : { reflection: { schema: name, service: reflect.service } }),
  });
}

function withReflection(status: SchemaStatus, reflections: ReflectionTable): SchemaStatus {
  const { reflection } = status;
  if (reflection === undefined) return status;
  const heard = reflections.status(status.name);
  // Of the service that the schema was read from before nothing matters any more.
  if (heard?.service !== reflection.service) return status;
  return { ...status, reflection: create(ReflectionStatusSchema, heard) };
}
