export interface BalancedNode {
  readonly id: string;
  readonly host: string;
  readonly port: number;
  readonly opsPort: number;
}

/**
 * An HAProxy config that spreads connections over nodes which say that they are ready. TCP mode: the nodes speak HTTP/1.1 and
 * HTTP/2 themselves.
 */
export function haproxyConfig(bind: string, nodes: readonly BalancedNode[]): string {
  const servers = nodes.map(
    ({ id, host, port: nodePort, opsPort }) =>
      `  server ${id} ${host}:${nodePort} check port ${opsPort} inter 500ms rise 1 fall 2`,
  );
  return `global
  maxconn 4000

defaults
  mode tcp
  timeout connect 1s
  timeout client 5m
  timeout server 5m
  option redispatch
  retries 3

frontend traffic
  bind ${bind}
  default_backend nodes

backend nodes
  balance roundrobin
  option httpchk GET /readyz
${servers.join('\n')}
`;
}
