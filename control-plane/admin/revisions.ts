import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';

import {
  ChangeAction,
  ListRevisionsResponseSchema,
  ResourceChangeSchema,
  RevisionSchema,
} from '../../proto/gen/sluice/v1/admin_pb.js';
import { ConfigChangeSchema } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { fromResource, kindOf } from './convert.js';
import { cutPage, pageMark, pageSize } from './paging.js';
import { invalid } from './validate.js';

import type { Admin, ListRequest, ResourceChange, Revision } from '../../proto/gen/sluice/v1/admin_pb.js';
import type { Resource } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { CommittedRevision, Store } from '../store/store.js';
import type { Handlers } from './grpc/grpc.js';

/** Each may hold a change of many megabytes, and all of a page are in memory at once. */
const maxRevisionsPerPage = 100;

export function revisionHandlers(store: Store): Pick<Handlers<typeof Admin>, 'listRevisions'> {
  return {
    listRevisions: async (request) => {
      const before = revisionBefore(request);
      const limit = Math.min(pageSize(request), maxRevisionsPerPage);
      const history = await store.history(before, limit + 1);
      const page = cutPage(
        history.map(toRevision),
        { ...request, pageSize: limit },
        {
          list: 'revision',
          mark: ({ revision }) => String(revision),
          bytes: (revision) => toBinary(RevisionSchema, revision).length,
        },
      );
      return create(ListRevisionsResponseSchema, { revisions: [...page.items], nextPageToken: page.nextPageToken });
    },
  };
}

function revisionBefore(request: ListRequest): bigint | null {
  const mark = pageMark(request, 'revision');
  if (mark === null) return null;
  if (!/^\d{1,18}$/.test(mark))
    throw invalid([{ field: 'page_token', description: 'is not a next_page_token of this list' }]);
  return BigInt(mark);
}

/** Field changes are not kept with a revision: they stand in the answer to the Apply that made it. */
function toRevision({ version, commitTimeMs, actor, change }: CommittedRevision): Revision {
  const { upserts, deletes } = fromBinary(ConfigChangeSchema, change);
  const { revision, chain, digest } = version;
  const changes = [
    ...upserts.map((resource) => toChange(resource, revision)),
    ...deletes.map(({ kind, name }) => create(ResourceChangeSchema, { kind, name, action: ChangeAction.DELETE })),
  ];
  return create(RevisionSchema, { revision, commitTime: timestampFromMs(commitTimeMs), actor, changes, chain, digest });
}

function toChange(resource: Resource, revision: bigint): ResourceChange {
  const { meta } = fromResource(kindOf(resource.kind), resource);
  const action = meta?.createdRevision === revision ? ChangeAction.CREATE : ChangeAction.UPDATE;
  return create(ResourceChangeSchema, { kind: resource.kind, name: resource.name, action });
}
