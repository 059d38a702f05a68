import { create } from '@bufbuild/protobuf';
import { EmptySchema } from '@bufbuild/protobuf/wkt';

import { ListSchemasResponseSchema } from '../../proto/gen/sluice/v1/admin_pb.js';
import { Kind } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { findResource, sha256 } from '../../proto/snapshot/snapshot.js';
import { AdminError, code } from '../errors.js';
import { fromResource, kindOf, schemaKind } from './convert.js';
import { ResourceApi } from './resource.js';

import type { Admin, SchemaChange } from '../../proto/gen/sluice/v1/admin_pb.js';
import type { Store } from '../store/store.js';
import type { Handlers } from './grpc/grpc.js';
import type { ConfigWriter } from './writer.js';

type SchemaMethods = Pick<
  Handlers<typeof Admin>,
  'createSchema' | 'getSchema' | 'updateSchema' | 'deleteSchema' | 'listSchemas'
>;

export function schemaHandlers(store: Store, writer: ConfigWriter): SchemaMethods {
  const api = new ResourceApi(schemaKind, store, writer);
  return {
    createSchema: ({ schema }, call) => api.create(schema, call),
    getSchema: (request) => api.get(request),
    updateSchema: ({ schema, etag, allowMissing }, call) => api.update(schema, { etag, allowMissing }, call),
    deleteSchema: async (request, call) => {
      await api.delete(request, call);
      return create(EmptySchema);
    },
    listSchemas: async (request) => {
      const { items, nextPageToken, revision } = await api.list(request);
      return create(ListSchemasResponseSchema, { schemas: items, nextPageToken, revision });
    },
  };
}

const author = 'reflection';

/** See AdminServer. */
export async function adoptDescriptors(
  writer: ConfigWriter,
  name: string,
  service: string,
  descriptorSet: Uint8Array,
): Promise<readonly SchemaChange[]> {
  const digest = Buffer.from(sha256(descriptorSet)).toString('hex');
  const { plan } = await writer.write(author, ({ resources }) => {
    const stored = findResource(resources, { kind: Kind.SCHEMA, name });
    const schema = stored === undefined ? undefined : fromResource(schemaKind, stored);
    const pinned = schema?.reflect?.pinnedDigest ?? '';
    // While the service was asked, somebody may have changed what is asked for.
    if (schema?.reflect?.service !== service || (pinned !== '' && pinned !== digest))
      throw new AdminError(code.aborted, 'SCHEMA_CHANGED', `The schema "${name}" was changed meanwhile.`);
    const message = { ...schema, descriptorSet };
    return { puts: [{ row: kindOf(Kind.SCHEMA), message, field: 'schema', ordinal: 0 }], deletes: [] };
  });
  return plan.changes.flatMap(({ schemaChanges }) => schemaChanges);
}
