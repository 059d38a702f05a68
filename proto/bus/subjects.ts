/**
 * The names under which the planes talk, for one cluster. The version in them is that of the protocol: two versions can share a
 * server while a cluster is upgraded. Throws on an empty or endless name.
 */
export interface Subjects {
  readonly configPatch: string;
  readonly configHint: string;
  readonly endpointPatch: string;
  readonly beacon: string;
  readonly reflection: string;
  readonly configRequest: string;
  readonly endpointRequest: string;
  readonly blobRequest: string;
  /** The blobs that one replica surely holds. */
  blobRequestOf(replicaId: string): string;
  nodeStatus(nodeId: string): string;
  readonly anyNodeStatus: string;
  nodeControl(nodeId: string): string;
  /** Heard by every node. */
  readonly allNodesControl: string;
}

export function subjectsOf(cluster: string): Subjects {
  const prefix = `gw.${token('name of the cluster', cluster)}.v1`;
  return {
    configPatch: `${prefix}.cfg.patch`,
    configHint: `${prefix}.cfg.hint`,
    endpointPatch: `${prefix}.ep.patch`,
    beacon: `${prefix}.beacon`,
    reflection: `${prefix}.reflection`,
    configRequest: `${prefix}.req.cfg`,
    endpointRequest: `${prefix}.req.ep`,
    blobRequest: `${prefix}.req.blob`,
    blobRequestOf: (replicaId) => `${prefix}.req.blob.${token('replica id', replicaId)}`,
    nodeStatus: (nodeId) => `${prefix}.node.${token('node id', nodeId)}.status`,
    anyNodeStatus: `${prefix}.node.*.status`,
    nodeControl: (nodeId) => `${prefix}.node.${token('node id', nodeId)}.ctl`,
    allNodesControl: `${prefix}.nodes.ctl`,
  };
}

/** A dot, a wildcard or white space in a name would reach, or be reached by, somebody else. */
function token(what: string, name: string): string {
  if (name === '' || name.length > 256)
    throw new Error(`the ${what} must have 1 to 256 characters, not ${name.length}`);
  return encodeURIComponent(name).replace(/[.*]/g, (character) => (character === '.' ? '%2E' : '%2A'));
}
