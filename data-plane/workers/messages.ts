import type { Problem } from '../../proto/snapshot/problem.js';
import type { DataPlaneConfig } from '../config.js';
import type { OpenApiRequest } from '../explain/explain.js';
import type { ProbeNews } from '../health/health.js';
import type { CertificateExpiry } from '../listener/listener.js';
import type { Counted } from '../ops/ops.js';
import type { TlsBase } from '../tls-base.js';
import type { Kind } from '../../proto/gen/sluice/v1/snapshot_pb.js';

/** What the primary process and its workers say to each other: plain data, which crosses as structured clones. */

/** What the primary asks; a worker answers each in the order of arrival. */
export type Call =
  /** Comes first, once. */
  | { readonly kind: 'start'; readonly config: DataPlaneConfig; readonly tls: TlsBase }
  /** To compile a config, which changes nothing that runs. */
  | { readonly kind: 'prepare'; readonly resources: readonly PlainResource[] }
  /** To bring into force what was prepared. */
  | { readonly kind: 'commit' }
  /** Answers with ServingPorts. */
  | { readonly kind: 'listen' }
  /** To send a report now. */
  | { readonly kind: 'report' }
  /** Answers with a page of /debug/. */
  | { readonly kind: 'page'; readonly name: PageName }
  /** Answers with an OpenApiPage. */
  | { readonly kind: 'openapi'; readonly request: OpenApiRequest }
  /** To finish what is in flight and send a last report. */
  | { readonly kind: 'stop' };

export type PageName = 'routes' | 'endpoints';

/** What the primary tells; nothing comes back. */
export type Word =
  | { readonly kind: 'discard' }
  /** Complete sets, each an encoded sluice.v1.EndpointSet. */
  | { readonly kind: 'endpoints'; readonly changed: readonly Uint8Array[]; readonly removed: readonly string[] }
  | { readonly kind: 'registry'; readonly silent: boolean }
  /** Of another worker. */
  | { readonly kind: 'probe'; readonly news: ProbeNews }
  | { readonly kind: 'retire' };

export type ToWorker = { readonly id: number; readonly call: Call } | { readonly word: Word };

export type FromWorker =
  /** Comes first: what was said before would have been lost. */
  | { readonly kind: 'up' }
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'fault'; readonly id: number; readonly reason: string; readonly problem: Problem | null }
  /** About once a second without being asked, which also says that the worker is not stuck. */
  | { readonly kind: 'report'; readonly report: Report }
  /** For the other workers. */
  | { readonly kind: 'probe'; readonly news: ProbeNews }
  | { readonly kind: 'log'; readonly level: 'info' | 'warn'; readonly message: string; readonly fields: LogFields };

export interface Report {
  /** Since the report before. */
  readonly counted: Counted;
  readonly connections: number;
  /** In force. */
  readonly certificates: readonly CertificateExpiry[];
}

export interface PlainResource {
  readonly kind: Kind;
  readonly name: string;
  readonly body: Uint8Array;
}

export type LogFields = Readonly<Record<string, unknown>>;
