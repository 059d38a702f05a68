export interface BalancedNode {
  readonly id: string;
  readonly host: string;
  readonly port: number;
  readonly tlsPort: number;
  readonly opsPort: number;
}

/** Where the load balancer listens, as HAProxy spells addresses. */
export interface Binds {
  readonly plain: string;
  readonly tls: string;
}

/**
 * An HAProxy config that spreads connections over nodes which say that they are ready. TCP mode: the nodes speak HTTP/1.1, HTTP/2
 * and TLS themselves.
 */
export function haproxyConfig(binds: Binds, nodes: readonly BalancedNode[]): string {
  const servers = (portOf: (node: BalancedNode) => number): string =>
    nodes
      .map((node) => {
        const address = `${node.host}:${portOf(node)}`;
        return `  server ${node.id} ${address} check port ${node.opsPort} inter 500ms rise 1 fall 2`;
      })
      .join('\n');
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
  bind ${binds.plain}
  default_backend nodes

frontend traffic-tls
  bind ${binds.tls}
  default_backend nodes-tls

backend nodes
  balance roundrobin
  option httpchk GET /readyz
${servers(({ port }) => port)}

backend nodes-tls
  balance roundrobin
  option httpchk GET /readyz
${servers(({ tlsPort }) => tlsPort)}
`;
}
