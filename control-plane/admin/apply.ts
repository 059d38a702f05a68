import { create } from '@bufbuild/protobuf';

import { ApplyResponseSchema } from '../../proto/gen/sluice/v1/admin_pb.js';
import { keyOf } from '../../proto/snapshot/snapshot.js';
import { AdminError, code } from '../errors.js';
import { certificateKind, kinds, routeKind, schemaKind, serviceKind } from './convert.js';
import { invalid } from './validate.js';

import type { Admin, ApplyRequest, ResourceChange } from '../../proto/gen/sluice/v1/admin_pb.js';
import type { FieldViolation } from '../errors.js';
import type { State } from '../store/store.js';
import type { ConfigMessage, ResourceKind } from './convert.js';
import type { Handlers } from './grpc/grpc.js';
import type { Edit, Key, Put } from './plan.js';
import type { ConfigWriter, Decide } from './writer.js';

/** gRPC clients take answers of 4 MiB unless told otherwise; field changes beyond this are left out, the list of changes is not. */
const maxFieldChangeLength = 1024 * 1024;

export function applyHandlers(writer: ConfigWriter): Pick<Handlers<typeof Admin>, 'apply'> {
  return {
    apply: async (request, call) => {
      const edit = editOf(request);
      const decide = (state: State): Edit => {
        checkRevision(state, request.expectedRevision);
        return edit(state);
      };
      const { state, plan } = await (request.dryRun ? writer.preview(decide) : writer.write(call.peer, decide));
      return create(ApplyResponseSchema, { revision: state.version.revision, changes: withinBudget(plan.changes) });
    },
  };
}

/** What a request wants of the config; throws when it names a resource twice. */
export function editOf(request: ApplyRequest): Decide {
  const puts = putsOf(request);
  return (state) => ({ puts, deletes: request.prune ? unnamed(state, puts) : [] });
}

/** The order of the request is the age of what it creates. */
function putsOf({ services, routes, schemas, certificates }: ApplyRequest): Put[] {
  const puts = [
    ...putsOfKind(serviceKind, 'services', services),
    ...putsOfKind(routeKind, 'routes', routes),
    ...putsOfKind(schemaKind, 'schemas', schemas),
    ...putsOfKind(certificateKind, 'certificates', certificates),
  ];
  refuseRepeatedNames(puts);
  return puts;
}

function putsOfKind<M extends ConfigMessage>(
  row: ResourceKind<M> & ResourceKind,
  list: string,
  messages: readonly M[],
): Put[] {
  return messages.map((message, ordinal) => ({ row, message, field: `${list}[${ordinal}]`, ordinal }));
}

function refuseRepeatedNames(puts: readonly Put[]): void {
  const first = new Map<string, string>();
  const violations: FieldViolation[] = [];
  for (const { row, message, field } of puts) {
    const key = keyOf({ kind: row.kind, name: message.name });
    const earlier = first.get(key);
    if (earlier === undefined) first.set(key, field);
    else
      violations.push({ field: `${field}.name`, description: `${earlier} is a ${row.word} "${message.name}" already` });
  }
  if (violations.length > 0) throw invalid(violations);
}

function checkRevision({ version }: State, expected: bigint | undefined): void {
  if (expected === undefined || version.revision === expected) return;
  throw new AdminError(
    code.aborted,
    'REVISION_MISMATCH',
    `The config is at revision ${version.revision}, not ${expected}.`,
    [{ field: 'expected_revision', description: `the config is at revision ${version.revision}` }],
  );
}

function unnamed(state: State, puts: readonly Put[]): Key[] {
  const named = new Set(puts.map(({ row, message }) => keyOf({ kind: row.kind, name: message.name })));
  const managed = new Set(kinds.map(({ kind }) => kind));
  return state.resources.filter((resource) => managed.has(resource.kind) && !named.has(keyOf(resource)));
}

function withinBudget(changes: readonly ResourceChange[]): ResourceChange[] {
  let left = maxFieldChangeLength;
  return changes.map((change) => {
    for (const { path, before, after } of change.fields) left -= path.length + before.length + after.length;
    for (const { symbol, description } of change.schemaChanges) left -= symbol.length + description.length;
    return left >= 0 ? change : { ...change, fields: [], schemaChanges: [] };
  });
}
