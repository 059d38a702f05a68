import { EndpointState, Kind, type EndpointSet, type Resource } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { Problem } from '../../proto/snapshot/problem.js';
import type { EndpointAddress } from '../balancer/balancer.js';
import { ProxyError } from '../errors.js';
import type { Exchange, RequestHead } from '../exchange.js';
import type { Metrics } from '../ops/ops.js';
import type { Match, NoMatch, Router, RouteRequest } from '../router/router.js';
import type { Transport } from '../upstream/transport.js';
import { Upstream } from '../upstream/upstream.js';
import { findRoute, isFinal, type AllowedMethods } from './find-route.js';
import {
  compileConfig,
  type CompiledConfig,
  type CompiledRoute,
  type RouteTarget,
  type RuntimeCertificate,
} from './compile.js';
import { SchemaCache } from './schema-cache.js';
import type { ServiceSettings } from './settings.js';

export type { CompiledConfig, CompiledRoute, RouteTarget, RuntimeCertificate } from './compile.js';
export { SchemaCache } from './schema-cache.js';
export { takesWebSocket, wantsWebSocket, type AllowedMethods } from './find-route.js';
export { withoutKeys } from './settings.js';
export type { ActiveHealthSettings, ProbeSettings, RouteSettings, ServiceSettings, TlsSettings } from './settings.js';

/** A compiled config in force. Never changed once it is; a request that holds one ends with it. */
export class Runtime {
  /** For those who describe it. */
  readonly config: CompiledConfig;
  readonly #router: Router<RouteTarget>;

  constructor(config: CompiledConfig) {
    this.config = config;
    this.#router = config.router;
  }

  /** The route for a request, or the methods that its path has; throws the ProxyError that says why there is neither. */
  match({ head, peer }: Exchange): Match<RouteTarget> | AllowedMethods {
    const { target } = head;
    const queryAt = target.indexOf('?');
    const path = queryAt < 0 ? target : target.slice(0, queryAt);
    const request = new HeadRequest(head, head.method, path, peer.tlsServerName);
    const direct = this.#router.match(request);
    const found = isFinal(head, direct)
      ? direct
      : findRoute(head, direct, (other) => this.#router.match(new HeadRequest(head, other, path, peer.tlsServerName)));
    if (found.kind === 'match' || found.kind === 'allowed') return found;
    throw noMatchError(found);
  }
}

/** What the router is asked; few routes look at headers. */
class HeadRequest implements RouteRequest {
  readonly method: string;
  readonly path: string;
  readonly host: string;
  readonly serverName: string | null;
  readonly #head: RequestHead;

  constructor(head: RequestHead, method: string, path: string, serverName: string | null) {
    this.method = method;
    this.path = path;
    this.host = head.authority;
    this.serverName = serverName;
    this.#head = head;
  }

  get headers(): readonly string[] {
    return this.#head.headers;
  }
}

function noMatchError(noMatch: NoMatch): ProxyError {
  switch (noMatch.kind) {
    case 'no_route':
      return new ProxyError('no_route');
    case 'method_not_allowed':
      return new ProxyError('method_not_allowed', undefined, { headers: ['Allow', noMatch.allow.join(', ')] });
    case 'bad_path':
      return new ProxyError('bad_path');
    case 'path_too_long':
      return new ProxyError('uri_too_long');
  }
}

/**
 * Throws 426, or the redirect that the route names, for a request over a protocol that the route does not take. `tlsPort` says
 * where this node itself speaks TLS, if it does.
 */
export function requireProtocol(
  { head, peer }: Pick<Exchange, 'head' | 'peer'>,
  { settings }: CompiledRoute,
  secure: boolean,
  tlsPort: () => number | null,
): void {
  if (secure ? settings.https : settings.http) return;
  if (!secure && settings.httpsRedirect !== 0) {
    const location = `https://${httpsAuthority(head.authority, peer.localPort, tlsPort())}${head.target}`;
    throw new ProxyError('https_required', undefined, {
      status: settings.httpsRedirect,
      headers: ['Location', location],
    });
  }
  if (secure) throw new ProxyError('no_route');
  throw new ProxyError('https_required', undefined, {
    headers: ['Connection', 'Upgrade', 'Upgrade', 'TLS/1.2, HTTP/1.1'],
  });
}

/** A port for plain HTTP speaks no TLS: who came straight to this node's is sent to its other one, all others to the usual one. */
function httpsAuthority(authority: string, localPort: number, tlsPort: number | null): string {
  const [, host = authority, port] = /^(.*?)(?::(\d+))?$/.exec(authority) ?? [];
  return tlsPort !== null && Number(port) === localPort ? `${host}:${tlsPort}` : host;
}

/** Serves certificates to clients. */
export interface CertificateHolder {
  /** Gets ready to serve these and no others; changes nothing before the commit, which faults forbid. */
  prepare(certificates: readonly RuntimeCertificate[]): PreparedCertificates;
}

export interface PreparedCertificates {
  readonly faults: readonly { readonly certificate: string; readonly field: string; readonly reason: string }[];
  commit(): void;
}

export interface RuntimeOptions {
  readonly metrics: Metrics;
  readonly certificates: CertificateHolder;
  transport(service: ServiceSettings, endpoint: EndpointAddress): Transport;
  /** [0, 1). */
  random(): number;
}

/** Thrown by `applyConfig`; the runtime before it stays in force. */
export class ConfigRefusedError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(`${problem.name} ${problem.field}: ${problem.reason}`);
    this.problem = problem;
  }
}

/** A config that is compiled and not yet in force. It holds nothing open: who does not want it lets go of it. */
export interface PreparedConfig {
  commit(): void;
}

/** Holds the runtime in force and the upstreams that outlive it. The follower feeds it; the proxy reads `current` once a request. */
export class RuntimeHolder {
  readonly #options: RuntimeOptions;
  readonly #schemas = new SchemaCache();
  #current: Runtime | null = null;
  #upstreams: ReadonlyMap<string, KeyedUpstream> = new Map();
  #endpoints: ReadonlyMap<string, EndpointAddress[]> = new Map();

  constructor(options: RuntimeOptions) {
    this.#options = options;
  }

  current(): Runtime | null {
    return this.#current;
  }

  get routes(): readonly CompiledRoute[] {
    return this.#current?.config.routes ?? [];
  }

  services(): Iterable<RunningService> {
    return this.#upstreams.values();
  }

  upstream(service: string): Upstream | undefined {
    return this.#upstreams.get(service)?.upstream;
  }

  /** Compiles everything, then swaps one reference. Upstreams that no config names any more finish what they have in flight. */
  applyConfig(resources: readonly Resource[]): void {
    this.prepareConfig(resources).commit();
  }

  /** The first half of `applyConfig`: changes nothing that runs. Endpoints may be applied before the commit, another config may not. */
  prepareConfig(resources: readonly Resource[]): PreparedConfig {
    const next = new Map<string, KeyedUpstream>();
    const config = compileConfig(resources, {
      upstream: (service) => this.#upstreamFor(service, next),
      metrics: (route) => this.#options.metrics.route(route),
      schemas: this.#schemas,
    });
    const prepared = this.#options.certificates.prepare(config.certificates);
    const [problem] = [...config.problems, ...prepared.faults.map(certificateProblem)];
    if (problem !== undefined) throw new ConfigRefusedError(problem);
    return {
      commit: () => {
        prepared.commit();
        this.#commit(config, next);
      },
    };
  }

  #commit(config: CompiledConfig, next: ReadonlyMap<string, KeyedUpstream>): void {
    const before = this.#upstreams;
    for (const [name, { upstream }] of next) {
      if (before.get(name)?.upstream !== upstream) upstream.setEndpoints(this.#endpoints.get(name) ?? []);
    }
    this.#upstreams = next;
    this.#current = new Runtime(config);
    this.#closeUnused(before, next);
    this.#options.metrics.retain(new Set(config.routes.map(({ settings }) => settings.name)));
  }

  /** Takes the complete sets of the services named, and forgets those of services in `removed`. */
  applyEndpoints(sets: readonly EndpointSet[], removed: readonly string[] = []): void {
    const endpoints = new Map(this.#endpoints);
    for (const service of removed) endpoints.delete(service);
    for (const set of sets) endpoints.set(set.service, addresses(set));
    this.#endpoints = endpoints;
    for (const service of [...removed, ...sets.map((set) => set.service)]) {
      this.#upstreams.get(service)?.upstream.setEndpoints(endpoints.get(service) ?? []);
    }
  }

  /** Finishes what is in flight, everywhere. */
  async close(): Promise<void> {
    await Promise.all([...this.#upstreams.values()].map(({ upstream }) => upstream.close()));
  }

  destroy(): void {
    for (const { upstream } of this.#upstreams.values()) upstream.destroy();
  }

  #upstreamFor(service: ServiceSettings, next: Map<string, KeyedUpstream>): Upstream {
    const made = next.get(service.name);
    if (made !== undefined) return made.upstream;
    const key = JSON.stringify([service.protocol, service.tls]);
    const known = this.#upstreams.get(service.name);
    const upstream = known?.key === key ? known.upstream : this.#makeUpstream(service);
    next.set(service.name, { key, settings: service, upstream });
    return upstream;
  }

  #makeUpstream(service: ServiceSettings): Upstream {
    const defaultPort = service.tls === null ? 80 : 443;
    return new Upstream((endpoint) => this.#options.transport(service, endpoint), defaultPort, this.#options.random);
  }

  #closeUnused(before: ReadonlyMap<string, KeyedUpstream>, kept: ReadonlyMap<string, KeyedUpstream>): void {
    for (const [name, { upstream }] of before) if (kept.get(name)?.upstream !== upstream) void upstream.close();
  }
}

function certificateProblem({ certificate, field, reason }: PreparedCertificates['faults'][number]): Problem {
  return { kind: Kind.CERTIFICATE, name: certificate, field, reason };
}

/** An upstream is good for a config as long as the settings that its connections were made with are the same. */
interface KeyedUpstream extends RunningService {
  readonly key: string;
}

/** A service that routes refer to, as the config in force has it. */
export interface RunningService {
  readonly settings: ServiceSettings;
  readonly upstream: Upstream;
}

function addresses({ endpoints }: EndpointSet): EndpointAddress[] {
  return endpoints
    .filter(({ state, weight }) => state !== EndpointState.OUT && weight > 0)
    .map(({ id, address, port, weight, state }) => ({
      id,
      address,
      port,
      weight,
      suspect: state === EndpointState.SUSPECT,
    }));
}
