import { create } from '@bufbuild/protobuf';
import { EmptySchema } from '@bufbuild/protobuf/wkt';

import { ListRoutesResponseSchema } from '../../proto/gen/sluice/v1/admin_pb.js';
import { routeKind } from './convert.js';
import { ResourceApi } from './resource.js';

import type { Admin } from '../../proto/gen/sluice/v1/admin_pb.js';
import type { Store } from '../store/store.js';
import type { Handlers } from './grpc/grpc.js';
import type { ConfigWriter } from './writer.js';

type RouteMethods = Pick<
  Handlers<typeof Admin>,
  'createRoute' | 'getRoute' | 'updateRoute' | 'deleteRoute' | 'listRoutes'
>;

export function routeHandlers(store: Store, writer: ConfigWriter): RouteMethods {
  const api = new ResourceApi(routeKind, store, writer);
  return {
    createRoute: ({ route }, call) => api.create(route, call),
    getRoute: (request) => api.get(request),
    updateRoute: ({ route, etag, allowMissing }, call) => api.update(route, { etag, allowMissing }, call),
    deleteRoute: async (request, call) => {
      await api.delete(request, call);
      return create(EmptySchema);
    },
    listRoutes: async (request) => {
      const { items, nextPageToken, revision } = await api.list(request);
      return create(ListRoutesResponseSchema, { routes: items, nextPageToken, revision });
    },
  };
}
