import { create } from '@bufbuild/protobuf';
import { EmptySchema } from '@bufbuild/protobuf/wkt';

import { ListSchemasResponseSchema } from '../../proto/gen/sluice/v1/admin_pb.js';
import { schemaKind } from './convert.js';
import { ResourceApi } from './resource.js';

import type { Admin } from '../../proto/gen/sluice/v1/admin_pb.js';
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
