import { create } from '@bufbuild/protobuf';

import { Admin, ExplainRequestSchema, ExplainResponseSchema } from '../../proto/gen/sluice/v1/admin_pb.js';
import { TranscodeProfile, TranscodeSchema } from '../../proto/gen/sluice/v1/config_pb.js';
import { EndpointState } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { readFiles } from './apply.js';
import { jsonOf, table } from './print.js';
import { readBody, readHeaders } from './requests.js';

import type {
  ExplainedAnswer,
  ExplainedCall,
  ExplainedTranscoding,
  ExplainResponse,
} from '../../proto/gen/sluice/v1/admin_pb.js';
import type { AdminClient } from './client.js';
import type { Output } from './print.js';

/** What both commands ask with. */
export interface AskOptions {
  readonly header: readonly string[];
  readonly body?: string;
  readonly revision?: bigint;
  readonly file?: readonly string[];
  readonly prune?: boolean;
  readonly limit: number;
  readonly output: 'text' | 'json';
}

export interface TryOptions extends AskOptions {
  readonly host?: string;
  readonly schema?: string;
  readonly service: readonly string[];
  readonly profile?: ProfileWord;
}

const profileWords = {
  'grpc-gateway': TranscodeProfile.GRPC_GATEWAY,
  envoy: TranscodeProfile.ENVOY,
  strict: TranscodeProfile.STRICT,
} as const;

export type ProfileWord = keyof typeof profileWords;
export const profiles = Object.keys(profileWords) as readonly ProfileWord[];

/** Prints what would become of a request, and why. */
export async function printExplanation(
  client: AdminClient,
  output: Output,
  method: string,
  url: string,
  options: AskOptions,
): Promise<void> {
  const response = await ask(client, method, url, options);
  if (options.output === 'json') printJson(output, response);
  else for (const line of explanationLines(method, url, response)) output.line(line);
}

/** Prints the gRPC call that a REST call becomes; false when it becomes none. */
export async function printTry(
  client: AdminClient,
  output: Output,
  method: string,
  path: string,
  options: TryOptions,
): Promise<boolean> {
  const { host, schema, service, profile } = options;
  const url = host === undefined || !path.startsWith('/') ? path : `http://${host}${path}`;
  const transcode =
    schema === undefined
      ? undefined
      : create(TranscodeSchema, {
          schema,
          services: [...service],
          profile: profile === undefined ? TranscodeProfile.UNSPECIFIED : profileWords[profile],
        });
  const response = await ask(client, method, url, options, transcode);
  const { transcoding, answer } = response;
  if (options.output === 'json') printJson(output, response);
  else for (const line of tryLines(response)) output.line(line);
  return transcoding !== undefined && answer === undefined;
}

async function ask(
  client: AdminClient,
  method: string,
  url: string,
  { header, body, revision = 0n, file, prune = false, limit }: AskOptions,
  transcode?: Parameters<typeof create<typeof TranscodeSchema>>[1],
): Promise<ExplainResponse> {
  const files = file === undefined ? null : readFiles(file);
  const request = create(ExplainRequestSchema, {
    method,
    url,
    headers: readHeaders(header),
    body: readBody(body),
    revision,
    limit,
    ...(files === null ? {} : { candidate: { ...files.request, prune } }),
    ...(transcode === undefined ? {} : { transcode }),
  });
  const call = (): Promise<ExplainResponse> => client.call(Admin.method.explain, request);
  return files === null ? call() : files.call(call);
}

function printJson(output: Output, response: ExplainResponse): void {
  output.line(JSON.stringify(jsonOf(ExplainResponseSchema, response), null, 2));
}

function explanationLines(method: string, url: string, response: ExplainResponse): string[] {
  const { host, path, revision, route, answer, sent, transcoding } = response;
  return [
    `${method} ${url}`,
    `  matched as host ${host === '' ? '(none)' : host}, path ${path}, by revision ${revision}`,
    route === undefined ? 'no route' : `route ${route.name}${route.path === '' ? '' : ` by ${route.path}`}`,
    ...(route === undefined || route.matchedAs === '' ? [] : [`  found by its ${route.matchedAs}`]),
    ...(route === undefined || response.others.some(({ matches }) => matches) ? [] : ['  no other route matches']),
    ...(answer === undefined ? [] : answerLines(answer)),
    ...(transcoding === undefined ? [] : transcodingLines(transcoding)),
    ...(sent === undefined ? [] : sentLines(sent)),
    ...otherLines(response),
  ];
}

function answerLines({ status, kind, message, headers, faults }: ExplainedAnswer): string[] {
  return [
    `answered by the gateway: ${[status, kind, message].filter((part) => part !== '').join(' ')}`,
    ...headers.map(({ name, value }) => `  ${name}: ${value}`),
    ...faults.map(({ field, reason }) => `  ${field === '' ? '(body)' : field}: ${reason}`),
  ];
}

function sentLines({ service, method, target, authority, headers, endpoints }: ExplainedCall): string[] {
  const rows = (endpoints?.endpoints ?? []).map(({ id, address, port, weight, state }) => [
    `  ${id}`,
    address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`,
    `weight ${weight}`,
    (EndpointState[state] ?? '').toLowerCase(),
  ]);
  return [
    `sent to ${service === '' ? 'the service' : `service ${service}`}: ${method} ${target}`,
    `  Host: ${authority === '' ? "(the endpoint's address)" : authority}`,
    ...headers.map(({ name, value }) => `  ${name}: ${value}`),
    ...endpointLines(service, rows, endpoints !== undefined),
  ];
}

function endpointLines(service: string, rows: readonly string[][], isKnown: boolean): string[] {
  if (service === '') return [];
  if (!isKnown) return ['endpoints: the registry has not answered yet'];
  return rows.length === 0 ? ['endpoints: none'] : ['endpoints', ...table(rows)];
}

function tryLines(response: ExplainResponse): string[] {
  const { route, transcoding, answer } = response;
  if (transcoding === undefined) {
    const first = route === undefined ? [] : [`route ${route.name} transcodes nothing`];
    return [...first, ...(answer === undefined ? [] : answerLines(answer)), ...otherLines(response)];
  }
  return [...transcodingLines(transcoding), ...(answer === undefined ? [] : answerLines(answer))];
}

/** Of a large message this much shows what it begins with. */
const maxHexBytes = 64;

function transcodingLines(transcoding: ExplainedTranscoding): string[] {
  const { grpcMethod, rule, body, variables, messages, clientStreaming, serverStreaming } = transcoding;
  const kind = [clientStreaming ? 'takes a stream' : '', serverStreaming ? 'answers with a stream' : ''];
  const streams = kind.filter((part) => part !== '').join(', ');
  return [
    `calls ${grpcMethod}${streams === '' ? '' : ` (${streams})`}`,
    `  by ${rule}${body === '' ? '' : `, body ${body}`}`,
    ...variables.map(({ name, text }) => `  ${name} = ${text}`),
    ...messages.flatMap(({ json, wire }) => {
      const hex = Buffer.from(wire.subarray(0, maxHexBytes)).toString('hex');
      return [
        `  message ${json === '' ? '(not one of the method)' : json}`,
        `  wire    ${wire.length} bytes ${hex}${wire.length > maxHexBytes ? '…' : ''}`,
      ];
    }),
  ];
}

function otherLines({ others, omitted }: ExplainResponse): string[] {
  if (others.length === 0) return [];
  const rows = others.map(({ name, grpcMethod, by, reason }) => [
    `  ${grpcMethod === '' ? name : `${name} ${grpcMethod}`}`,
    by,
    reason,
  ]);
  return ['not', ...table(rows), ...(omitted === 0 ? [] : [`  and ${omitted} more`])];
}
