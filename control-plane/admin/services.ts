import { create } from '@bufbuild/protobuf';
import { EmptySchema } from '@bufbuild/protobuf/wkt';

import { ListServicesResponseSchema } from '../../proto/gen/sluice/v1/admin_pb.js';
import { serviceKind } from './convert.js';
import { ResourceApi } from './resource.js';

import type { Admin } from '../../proto/gen/sluice/v1/admin_pb.js';
import type { Store } from '../store/store.js';
import type { Handlers } from './grpc/grpc.js';
import type { ConfigWriter } from './writer.js';

type ServiceMethods = Pick<
  Handlers<typeof Admin>,
  'createService' | 'getService' | 'updateService' | 'deleteService' | 'listServices'
>;

export function serviceHandlers(store: Store, writer: ConfigWriter): ServiceMethods {
  const api = new ResourceApi(serviceKind, store, writer);
  return {
    createService: ({ service }, call) => api.create(service, call),
    getService: (request) => api.get(request),
    updateService: ({ service, etag, allowMissing }, call) => api.update(service, { etag, allowMissing }, call),
    deleteService: async (request, call) => {
      await api.delete(request, call);
      return create(EmptySchema);
    },
    listServices: async (request) => {
      const { items, nextPageToken, revision } = await api.list(request);
      return create(ListServicesResponseSchema, { services: items, nextPageToken, revision });
    },
  };
}
