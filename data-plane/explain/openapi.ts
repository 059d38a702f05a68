import type { CompiledConfig } from '../runtime/compile.js';
import { openApiDocument, type JsonObject, type OpenApiVersion } from '../transcoder/transcoder.js';
import { routedAt, transcodedHosts } from './routed.js';

export interface OpenApiRequest {
  readonly version: OpenApiVersion;
  /** As clients name it, with its port; '' for routes that answer any host. */
  readonly host: string;
  /** The revision of the config. */
  readonly revision: bigint;
}

export type OpenApiAnswer =
  | { readonly kind: 'document'; readonly document: JsonObject }
  /** Nothing is transcoded there; `hosts` are those of transcoded routes. */
  | { readonly kind: 'nothing'; readonly hosts: readonly string[] };

/** The OpenAPI document of what is transcoded at a host. */
export function openApiAt(config: CompiledConfig, { version, host, revision }: OpenApiRequest): OpenApiAnswer {
  const { bindings, schemes } = routedAt(config, host);
  if (bindings.length === 0) return { kind: 'nothing', hosts: transcodedHosts(config) };
  const info = { version, title: host === '' ? 'Sluice' : host, apiVersion: String(revision), host, schemes };
  return { kind: 'document', document: openApiDocument(bindings, info) };
}

/** What a process shows of itself at /openapi.json. */
export interface OpenApiPage {
  readonly status: 200 | 404;
  /** JSON. */
  readonly text: string;
}

/** The document as a page; of a node without a config there is none. */
export function openApiPage(config: CompiledConfig | null, request: OpenApiRequest): OpenApiPage {
  const answer: OpenApiAnswer = config === null ? { kind: 'nothing', hosts: [] } : openApiAt(config, request);
  if (answer.kind === 'document') return { status: 200, text: JSON.stringify(answer.document) };
  const where = request.host === '' ? 'for any host' : `at ${request.host}`;
  return { status: 404, text: JSON.stringify({ message: `nothing is transcoded ${where}`, hosts: answer.hosts }) };
}
