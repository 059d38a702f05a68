import { create } from '@bufbuild/protobuf';
import { EmptySchema } from '@bufbuild/protobuf/wkt';

import { ListCertificatesResponseSchema } from '../../proto/gen/sluice/v1/admin_pb.js';
import { certificateKind } from './convert.js';
import { ResourceApi } from './resource.js';

import type { Admin } from '../../proto/gen/sluice/v1/admin_pb.js';
import type { Store } from '../store/store.js';
import type { Handlers } from './grpc/grpc.js';
import type { ConfigWriter } from './writer.js';

type CertificateMethods = Pick<
  Handlers<typeof Admin>,
  'createCertificate' | 'getCertificate' | 'updateCertificate' | 'deleteCertificate' | 'listCertificates'
>;

export function certificateHandlers(store: Store, writer: ConfigWriter): CertificateMethods {
  const api = new ResourceApi(certificateKind, store, writer);
  return {
    createCertificate: ({ certificate }, call) => api.create(certificate, call),
    getCertificate: (request) => api.get(request),
    updateCertificate: ({ certificate, etag, allowMissing }, call) =>
      api.update(certificate, { etag, allowMissing }, call),
    deleteCertificate: async (request, call) => {
      await api.delete(request, call);
      return create(EmptySchema);
    },
    listCertificates: async (request) => {
      const { items, nextPageToken, revision } = await api.list(request);
      return create(ListCertificatesResponseSchema, { certificates: items, nextPageToken, revision });
    },
  };
}
