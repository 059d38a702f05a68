import { fromBinary } from '@bufbuild/protobuf';
import {
  CertificateSchema,
  RouteProtocol,
  RouteSchema,
  ServiceSchema,
  type GrpcMatch,
  type PathMatch,
  type Route,
  type Service,
  type Transcode,
} from '../../proto/gen/sluice/v1/config_pb.js';
import { Kind, type Resource } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { Problem } from '../../proto/snapshot/problem.js';
import type { RouteMetrics } from '../ops/ops.js';
import { compileRouter, type PathRule, type RouteCriteria, type RouteEntry, type Router } from '../router/router.js';
import type { PathRule as UpstreamPathRule } from '../shape.js';
import { bindingOptions, type Binding, type Schema } from '../transcoder/transcoder.js';
import type { Upstream } from '../upstream/upstream.js';
import { Rewrite } from './rewrite.js';
import type { SchemaCache } from './schema-cache.js';
import { routeSettings, serviceSettings, type RouteSettings, type ServiceSettings } from './settings.js';

/** What a matched request is handled by. */
export interface RouteTarget {
  readonly route: CompiledRoute;
  /** The gRPC method that a transcoded route calls; null forwards the request. */
  readonly binding: Binding | null;
  /** What is forwarded are gRPC calls. */
  readonly speaksGrpc: boolean;
  readonly upstream: Upstream;
  /** Milliseconds for the whole exchange; 0 is no limit. */
  readonly requestMs: number;
}

export interface CompiledRoute {
  readonly settings: RouteSettings;
  readonly pathRule: UpstreamPathRule;
  readonly rewrite: Rewrite | null;
  /** The schema that its bindings are of; '' when it has none. */
  readonly schema: string;
  readonly metrics: RouteMetrics;
}

/** The long-lived things that a compiled route refers to. */
export interface RuntimeParts {
  upstream(service: ServiceSettings): Upstream;
  metrics(route: string): RouteMetrics;
  readonly schemas: SchemaCache;
}

/** A certificate of the config as it is handed to what serves it. */
export interface RuntimeCertificate {
  readonly name: string;
  readonly certPem: string;
  readonly keyPem: string;
  readonly snis: readonly string[];
  readonly isDefault: boolean;
}

export interface CompiledConfig {
  readonly router: Router<RouteTarget>;
  /** What the router was made of. */
  readonly entries: readonly RouteEntry<RouteTarget>[];
  readonly routes: readonly CompiledRoute[];
  readonly certificates: readonly RuntimeCertificate[];
  /** Anything in here means that the config must not be run. */
  readonly problems: readonly Problem[];
}

/** Makes what runs of a config's resources. Touches nothing that is running: the result takes effect when it is swapped in. */
export function compileConfig(resources: readonly Resource[], parts: RuntimeParts): CompiledConfig {
  const compiler = new Compiler(parts);
  for (const resource of resources) compiler.read(resource);
  return compiler.compile();
}

class Compiler {
  readonly #parts: RuntimeParts;
  readonly #services = new Map<string, Service>();
  /** Null for one without descriptors: its routes have no bindings. */
  readonly #schemas = new Map<string, Schema | null>();
  readonly #routes: Route[] = [];
  readonly #certificates: RuntimeCertificate[] = [];
  readonly #compiled: CompiledRoute[] = [];
  readonly #entries: RouteEntry<RouteTarget>[] = [];
  readonly #problems: Problem[] = [];

  constructor(parts: RuntimeParts) {
    this.#parts = parts;
  }

  read({ kind, name, body }: Resource): void {
    try {
      if (kind === Kind.SERVICE) this.#services.set(name, fromBinary(ServiceSchema, body));
      else if (kind === Kind.ROUTE) this.#routes.push(fromBinary(RouteSchema, body));
      else if (kind === Kind.SCHEMA) this.#readSchema(name, body);
      else if (kind === Kind.CERTIFICATE) this.#certificates.push(certificateOf(body));
    } catch {
      this.#problems.push({ kind, name, field: '', reason: 'cannot be decoded' });
    }
  }

  #readSchema(name: string, body: Uint8Array): void {
    const { schema, problems } = this.#parts.schemas.load(body);
    this.#schemas.set(name, schema);
    for (const { file, symbol, rule, reason } of problems) {
      const field = rule === '' ? 'descriptor_set' : `http_rules.${rule}`;
      this.#problems.push({ kind: Kind.SCHEMA, name, field, reason: `${file} ${symbol}: ${reason}` });
    }
  }

  compile(): CompiledConfig {
    for (const route of this.#routes) if (route.enabled !== false) this.#addRoute(route);
    const { router, problems } = compileRouter(this.#entries);
    for (const { name, field, reason } of problems) this.#problems.push({ kind: Kind.ROUTE, name, field, reason });
    return {
      router,
      entries: this.#entries,
      routes: this.#compiled,
      certificates: this.#certificates,
      problems: this.#problems,
    };
  }

  #addRoute(route: Route): void {
    const service = this.#services.get(route.service);
    if (service === undefined) {
      this.#report(route, 'service', `there is no service "${route.service}"`);
      return;
    }
    const settings = routeSettings(route, service);
    const compiled: CompiledRoute = {
      settings,
      pathRule: { stripPath: settings.stripPath, servicePath: settings.service.path },
      rewrite: route.rewrite === '' ? null : new Rewrite(route.rewrite),
      schema: route.transcode?.schema ?? '',
      metrics: this.#parts.metrics(route.name),
    };
    this.#compiled.push(compiled);
    const upstream = this.#parts.upstream(serviceSettings(service));
    const { speaksGrpc } = settings.service;
    if (route.transcode === undefined)
      this.#entries.push({
        ...routeCriteria(route),
        target: { route: compiled, binding: null, speaksGrpc, upstream, requestMs: settings.timeouts.requestMs },
      });
    else this.#addBindings(route, route.transcode, compiled, upstream);
  }

  #addBindings(route: Route, transcode: Transcode, compiled: CompiledRoute, upstream: Upstream): void {
    const schema = this.#schemas.get(transcode.schema);
    if (schema === undefined) {
      this.#report(route, 'transcode.schema', `there is no schema "${transcode.schema}"`);
      return;
    }
    if (schema === null) return;
    const { bindings, problems } = this.#parts.schemas.bindings(schema, bindingOptions(transcode));
    for (const { symbol, template, reason } of problems)
      this.#report(route, 'transcode', `${symbol} ${template}: ${reason}`);
    for (const binding of bindings) {
      const requestMs = compiled.settings.timeouts.requestMs || defaultRequestMs(binding);
      this.#entries.push({
        ...bindingCriteria(route, binding),
        target: { route: compiled, binding, speaksGrpc: true, upstream, requestMs },
      });
    }
  }

  #report(route: Route, field: string, reason: string): void {
    this.#problems.push({ kind: Kind.ROUTE, name: route.name, field, reason });
  }
}

/** A call of one message and one answer should not take longer by default; a stream may go on for as long as both sides like. */
function defaultRequestMs({ method }: Binding): number {
  return method.clientStreaming || method.serverStreaming ? 0 : 30_000;
}

function certificateOf(body: Uint8Array): RuntimeCertificate {
  const { name, certPem, keyPem, snis, default: isDefault } = fromBinary(CertificateSchema, body);
  return { name, certPem, keyPem, snis, isDefault };
}

/** What the router matches for a plain route. The control plane checks routes by this and by bindingCriteria. */
export function routeCriteria(route: Route): RouteCriteria {
  return {
    name: route.name,
    priority: route.priority,
    hosts: route.hosts,
    paths: [...route.paths.map(pathRule), ...route.grpc.map(grpcRule)],
    methods: route.grpc.length === 0 ? route.methods : ['POST'],
    headers: route.headers,
    snis: route.snis,
    httpsOnly: route.protocols.length === 1 && route.protocols[0] === RouteProtocol.HTTPS,
    createdRevision: route.meta?.createdRevision ?? 0n,
    ordinal: route.meta?.ordinal ?? 0,
  };
}

/** What the router matches for one binding of a transcoded route. */
export function bindingCriteria(route: Route, { method, template, httpMethod, habits }: Binding): RouteCriteria {
  return {
    ...routeCriteria(route),
    detail: method.path,
    paths: [{ kind: 'template', text: template.text, trailingSlash: habits.stripTrailingSlashes ? 'strip' : 'strict' }],
    methods: httpMethod === '*' ? [] : [httpMethod],
    rule: true,
  };
}

function pathRule({ kind }: PathMatch): PathRule {
  switch (kind.case) {
    case 'prefix':
    case 'exact':
    case 'template':
      return { kind: kind.case, text: kind.value };
    case 'segmentPrefix':
      return { kind: 'segment_prefix', text: kind.value };
    case 'regex':
      return { kind: 'regex', pattern: kind.value.pattern, priority: kind.value.priority };
    case undefined:
      return { kind: 'prefix', text: '' };
  }
}

/** A gRPC method is a path of two segments: that of its service, and its own. */
function grpcRule({ service, method }: GrpcMatch): PathRule {
  if (method === '') return { kind: 'segment_prefix', text: `/${service}` };
  return { kind: 'exact', text: `/${service}/${method}` };
}
