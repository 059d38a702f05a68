import { create } from '@bufbuild/protobuf';

import { openApiAt } from '../../data-plane/explain/explain.js';
import { HttpBodySchema } from '../../proto/gen/google/api/httpbody_pb.js';
import { AdminError, code } from '../errors.js';

import type { Admin } from '../../proto/gen/sluice/v1/admin_pb.js';
import type { Store } from '../store/store.js';
import type { Handlers } from './grpc/grpc.js';
import type { ConfigReviews } from './reviews.js';

/** Of the newest config, as nodes will run it once they have it. */
export function openApiHandlers(store: Store, reviews: ConfigReviews): Pick<Handlers<typeof Admin>, 'getOpenApi'> {
  return {
    getOpenApi: async ({ host, version }) => {
      const {
        resources,
        version: { revision },
      } = await store.read();
      const answer = openApiAt(reviews.of(resources).config, {
        host,
        version: version === '2.0' ? '2.0' : '3.1',
        revision,
      });
      if (answer.kind === 'nothing') throw nothingThere(host, answer.hosts);
      const data = Buffer.from(JSON.stringify(answer.document));
      return create(HttpBodySchema, { contentType: 'application/json', data });
    },
  };
}

const maxNamed = 20;

function nothingThere(host: string, hosts: readonly string[]): AdminError {
  const where = host === '' ? 'for any host' : `at ${host}`;
  const named = hosts.slice(0, maxNamed).join(', ') + (hosts.length > maxNamed ? ', …' : '');
  const others = hosts.length === 0 ? '' : ` Hosts of transcoded routes: ${named}.`;
  return new AdminError(code.notFound, 'NOTHING_TRANSCODED', `Nothing is transcoded ${where}.${others}`, [
    { field: 'host', description: 'has no transcoded route' },
  ]);
}
