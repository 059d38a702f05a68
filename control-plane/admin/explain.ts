import { create } from '@bufbuild/protobuf';

import { explainRequest, type Explained } from '../../data-plane/explain/explain.js';
import { isHeader } from '../../data-plane/headers.js';
import {
  ExplainedAnswerSchema,
  ExplainedCallSchema,
  ExplainedRouteSchema,
  ExplainedTranscodingSchema,
  ExplainResponseSchema,
  HttpFieldSchema,
  OtherRouteSchema,
} from '../../proto/gen/sluice/v1/admin_pb.js';
import { Protocol, RouteSchema, ServiceSchema, TranscodeProfile } from '../../proto/gen/sluice/v1/config_pb.js';
import { Kind } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { applyChange, compareResources } from '../../proto/snapshot/snapshot.js';
import { AdminError } from '../errors.js';
import { checkState } from '../snapshot/snapshot.js';
import { editOf } from './apply.js';
import { routeKind, serviceKind, toResource } from './convert.js';
import { stateAt } from './past.js';
import { invalid } from './validate.js';

import type { Admin, ExplainRequest, ExplainResponse, HttpField } from '../../proto/gen/sluice/v1/admin_pb.js';
import type { Transcode } from '../../proto/gen/sluice/v1/config_pb.js';
import type { Resource } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { State, Store } from '../store/store.js';
import type { Handlers } from './grpc/grpc.js';
import type { ConfigReviews } from './reviews.js';
import type { EndpointTable } from './tables.js';
import type { ConfigWriter } from './writer.js';

export interface ExplainDeps {
  readonly store: Store;
  readonly endpoints: EndpointTable;
  readonly writer: ConfigWriter;
  readonly reviews: ConfigReviews;
}

const defaultLimit = 20;
/** An address that is nobody's (RFC 5737), for the client of a request that nobody has sent. */
const clientAddress = '192.0.2.1';

/** Says what a node would do with a request, by the config of any revision or by one that has not been applied. */
export function explainHandlers(deps: ExplainDeps): Pick<Handlers<typeof Admin>, 'explain'> {
  return {
    explain: async (request) => {
      const asked = requestOf(request);
      const { state, revision } = await stateAt(deps.store, request.revision);
      const resources = resourcesFor(request, state, deps.writer);
      const explained = await explainRequest(deps.reviews.of(resources), asked);
      return responseOf(explained, revision, request.transcode === undefined ? deps.endpoints : null);
    },
  };
}

function requestOf({ method, url, headers, body, limit }: ExplainRequest): Parameters<typeof explainRequest>[1] {
  const { secure, authority, target } = splitUrl(url);
  const host = headers.find(({ name }) => isHeader(name, 'host'))?.value;
  return {
    method,
    target,
    authority: host ?? authority,
    headers: headers.filter(({ name }) => !isHeader(name, 'host')).flatMap(({ name, value }) => [name, value.trim()]),
    body,
    clientAddress,
    port: Number(/:(\d{1,5})$/.exec(authority)?.[1] ?? (secure ? 443 : 80)),
    tlsServerName: secure ? authority.replace(/:\d*$/, '') : null,
    limit: limit === 0 ? defaultLimit : limit,
  };
}

function splitUrl(url: string): { secure: boolean; authority: string; target: string } {
  const [withoutFragment = ''] = url.split('#', 1);
  const [, scheme = 'http', authority = '', rest = ''] =
    /^(?:(https?):\/\/([^/?@]+))?([/?].*|\*?)$/i.exec(withoutFragment) ?? [];
  const target = rest.startsWith('?') || rest === '' ? `/${rest}` : rest;
  if (authority === '' && rest === '')
    throw invalid([{ field: 'url', description: 'must be http://HOST/PATH, https://HOST/PATH or /PATH' }]);
  if (/[^\x21-\x7e]/.test(target))
    throw invalid([{ field: 'url', description: 'has characters that a request cannot have; write them as %XX' }]);
  return { secure: scheme.toLowerCase() === 'https', authority, target };
}

/** What the request is explained by: the config, with the candidate applied, or a route of its own. */
function resourcesFor(
  { candidate, transcode }: ExplainRequest,
  state: State,
  writer: ConfigWriter,
): readonly Resource[] {
  const edit = candidate === undefined ? null : editOf(candidate);
  const resources = edit === null ? state.resources : applyChange(state.resources, planCandidate(writer, state, edit));
  return transcode === undefined ? resources : transcodedAlone(resources, transcode);
}

function planCandidate(writer: ConfigWriter, state: State, edit: ReturnType<typeof editOf>) {
  try {
    return writer.planOn(state, edit).change;
  } catch (error) {
    throw error instanceof AdminError ? withinCandidate(error) : error;
  }
}

function withinCandidate({ code: grpcCode, reason, message, violations, cause }: AdminError): AdminError {
  const fields = violations.map((violation) =>
    /^\w+\[\d+\]/.test(violation.field) ? { ...violation, field: `candidate.${violation.field}` } : violation,
  );
  return new AdminError(grpcCode, reason, message, fields, cause);
}

function transcodedAlone(resources: readonly Resource[], transcode: Transcode): Resource[] {
  const stamp = { revision: 1n, ordinal: 0, nowMs: 0 };
  const service = create(ServiceSchema, { name: 'tried', protocol: Protocol.GRPC });
  const route = create(RouteSchema, { name: 'tried', service: 'tried', transcode });
  const alone = [
    toResource(routeKind, route, undefined, stamp),
    ...resources.filter(({ kind, name }) => kind === Kind.SCHEMA && name === transcode.schema),
    toResource(serviceKind, service, undefined, stamp),
  ].toSorted(compareResources);
  const faults = checkState(alone).filter(({ kind }) => kind === Kind.ROUTE);
  if (faults.length > 0) throw invalid(faults.map(({ field, reason: description }) => ({ field, description })));
  return alone;
}

function responseOf(explained: Explained, revision: bigint, endpoints: EndpointTable | null): ExplainResponse {
  const { host, path, winner, omitted, losers } = explained;
  const others = losers.map(({ entry, reason, text }) =>
    create(OtherRouteSchema, {
      name: entry.name,
      grpcMethod: entry.target.binding?.method.path.slice(1) ?? '',
      by: reason.by,
      matches: reason.kind === 'lost',
      reason: text,
    }),
  );
  return create(ExplainResponseSchema, {
    revision,
    host,
    path,
    others,
    omitted,
    ...(winner === null ? {} : { route: routeOf(explained, winner) }),
    ...answerOf(explained),
    ...(winner === null ? {} : callOf(explained, winner, endpoints)),
    ...(winner === null ? {} : transcodingOf(explained, winner)),
  });
}

type Winner = NonNullable<Explained['winner']>;

function routeOf({ matchedAs }: Explained, { entry, rule }: Winner) {
  const path = rule === null ? '' : `${rule.kind} ${rule.kind === 'regex' ? rule.pattern : rule.text}`;
  return create(ExplainedRouteSchema, { name: entry.name, path, matchedAs });
}

function answerOf({ answer }: Explained) {
  if (answer === null) return {};
  const { status, kind, message, headers, violations } = answer;
  const faults = violations.map(({ field, description: reason }) => ({ field, reason }));
  return { answer: create(ExplainedAnswerSchema, { status, kind, message, headers: fieldsOf(headers), faults }) };
}

function callOf({ sent }: Explained, { target }: Winner, endpoints: EndpointTable | null) {
  if (sent === null) return {};
  const { name } = target.route.settings.service;
  const { method, target: path, authority, headers } = sent;
  const known = endpoints?.endpoints(name) ?? null;
  const call = create(ExplainedCallSchema, {
    service: endpoints === null ? '' : name,
    method,
    target: path,
    authority,
    headers: fieldsOf(headers),
    ...(known === null ? {} : { endpoints: known }),
  });
  return { sent: call };
}

function transcodingOf({ binding, messages }: Explained, match: Winner) {
  if (binding === null) return {};
  const { method, rule, template, httpMethod, habits } = binding;
  const texts = match.variables();
  const transcoding = create(ExplainedTranscodingSchema, {
    grpcMethod: method.path.slice(1),
    rule: `${httpMethod} ${rule.template}`,
    body: rule.body,
    profile: profiles[habits.profile],
    variables: template.variables.map(({ name }, index) => ({ name, text: texts[index] ?? '' })),
    messages: messages.map(({ json, wire }) => ({ json, wire })),
    clientStreaming: method.clientStreaming,
    serverStreaming: method.serverStreaming,
  });
  return { transcoding };
}

const profiles = {
  'grpc-gateway': TranscodeProfile.GRPC_GATEWAY,
  envoy: TranscodeProfile.ENVOY,
  strict: TranscodeProfile.STRICT,
} as const;

function fieldsOf(headers: readonly string[]): HttpField[] {
  const fields: HttpField[] = [];
  for (let at = 0; at < headers.length; at += 2) {
    fields.push(create(HttpFieldSchema, { name: headers[at] as string, value: headers[at + 1] as string }));
  }
  return fields;
}
