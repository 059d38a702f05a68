import type {
  EndpointSet,
  EndpointVersion,
  NodeStatus,
  ReflectionStatus,
} from '../../proto/gen/sluice/v1/snapshot_pb.js';

/** The nodes that this control plane has heard of; kept by sync. */
export interface NodeTable {
  /** Those not yet forgotten, in any order. */
  nodes(): readonly NodeRecord[];
  /** Calls `changed` after every change of what `nodes` gives, falling silent included, until the returned function is called. */
  watch(changed: () => void): () => void;
}

export interface NodeRecord {
  readonly status: NodeStatus;
  readonly lastSeenMs: number;
  /** No word for three heartbeats. */
  readonly silent: boolean;
}

/** What the registry says; kept by sync. */
export interface EndpointTable {
  /** Null while the registry has not answered for this service. */
  endpoints(service: string): EndpointSet | null;
  version(): EndpointVersion;
}

/** How reading schemas from services goes; kept by reflection. */
export interface ReflectionTable {
  /** Null while the leader has said nothing of this schema. */
  status(schema: string): ReflectionStatus | null;
}
