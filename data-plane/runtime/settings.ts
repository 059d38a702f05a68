import type { Duration } from '@bufbuild/protobuf/wkt';
import {
  ProbeWhen,
  Protocol,
  RouteProtocol,
  type ActiveHealth,
  type Retries,
  type Route,
  type Service,
  type Timeouts,
} from '../../proto/gen/sluice/v1/config_pb.js';

/** A service with every default filled in, as the request path reads it. */
export interface ServiceSettings {
  readonly name: string;
  readonly protocol: 'http' | 'https' | 'grpc' | 'grpcs';
  readonly speaksGrpc: boolean;
  /** Without a trailing slash; '' when the service has no path of its own. */
  readonly path: string;
  /** The Host to send; '' means the endpoint's address. */
  readonly host: string;
  readonly tls: TlsSettings | null;
  readonly activeHealth: ActiveHealthSettings | null;
}

export interface TlsSettings {
  readonly caPem: string;
  readonly serverName: string;
  readonly skipVerify: boolean;
  /** Of the gateway, for endpoints that ask for one; both are there or neither. */
  readonly certificatePem?: string;
  readonly keyPem?: string;
}

export interface ActiveHealthSettings {
  readonly probe: ProbeSettings;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Passes in a row that bring an endpoint back. */
  readonly rise: number;
  /** Failures in a row that take an endpoint out. */
  readonly fall: number;
  /** Who is probed: endpoints in doubt, or all. */
  readonly when: 'suspect' | 'always';
}

export type ProbeSettings =
  /** No statuses: any of 200 to 299. An empty host is the service's. */
  | { readonly kind: 'http'; readonly path: string; readonly host: string; readonly statuses: readonly number[] }
  | { readonly kind: 'tcp' }
  /** An empty service is the whole server. */
  | { readonly kind: 'grpc'; readonly service: string };

/** A route with every default filled in, its service's timeouts and retries where it has none of its own. */
export interface RouteSettings {
  readonly name: string;
  readonly service: ServiceSettings;
  readonly stripPath: boolean;
  readonly preserveHost: boolean;
  readonly http: boolean;
  readonly https: boolean;
  /** 0 answers 426. */
  readonly httpsRedirect: number;
  readonly timeouts: TimeoutSettings;
  readonly retries: RetrySettings;
}

/** Milliseconds; 0 is no limit. */
export interface TimeoutSettings {
  readonly connectMs: number;
  readonly readMs: number;
  readonly writeMs: number;
  readonly requestMs: number;
  readonly perTryMs: number;
}

export interface RetrySettings {
  /** The first one included. */
  readonly maxAttempts: number;
  readonly budgetPercent: number;
  /** Every request is, whatever its method. */
  readonly idempotent: boolean;
}

const defaultTimeouts = { connectMs: 1_000, readMs: 60_000, writeMs: 60_000, requestMs: 0, perTryMs: 0 };
const defaultActiveHealth = { intervalMs: 5_000, timeoutMs: 1_000, rise: 2, fall: 3 };
const defaultRetries = { attempts: 1, budgetPercent: 20 };

const protocols = {
  [Protocol.UNSPECIFIED]: 'http',
  [Protocol.HTTP]: 'http',
  [Protocol.HTTPS]: 'https',
  [Protocol.GRPC]: 'grpc',
  [Protocol.GRPCS]: 'grpcs',
} as const;

export function serviceSettings(service: Service): ServiceSettings {
  const protocol = protocols[service.protocol];
  const tls = protocol === 'https' || protocol === 'grpcs';
  return {
    name: service.name,
    protocol,
    speaksGrpc: protocol === 'grpc' || protocol === 'grpcs',
    path: service.path.replace(/\/+$/, ''),
    host: service.host,
    tls: tls ? tlsSettings(service) : null,
    activeHealth: service.health?.active === undefined ? null : activeHealthSettings(service.health.active),
  };
}

function activeHealthSettings({ probe, interval, timeout, rise, fall, when }: ActiveHealth): ActiveHealthSettings {
  const intervalMs = milliseconds(interval) ?? defaultActiveHealth.intervalMs;
  return {
    probe: probeSettings(probe),
    intervalMs,
    timeoutMs: milliseconds(timeout) ?? Math.min(defaultActiveHealth.timeoutMs, intervalMs),
    rise: rise ?? defaultActiveHealth.rise,
    fall: fall ?? defaultActiveHealth.fall,
    when: when === ProbeWhen.ALWAYS ? 'always' : 'suspect',
  };
}

function probeSettings(probe: ActiveHealth['probe']): ProbeSettings {
  switch (probe.case) {
    case 'http': {
      const { path, host, statuses } = probe.value;
      return { kind: 'http', path, host, statuses };
    }
    case 'grpc':
      return { kind: 'grpc', service: probe.value.service };
    case 'tcp':
    case undefined:
      return { kind: 'tcp' };
  }
}

function tlsSettings({ tls, host }: Service): TlsSettings {
  const hostName = host.replace(/:\d+$/, '');
  return {
    caPem: tls?.caPem ?? '',
    serverName: tls?.serverName || hostName,
    skipVerify: tls?.skipVerify ?? false,
    ...(tls === undefined || tls.certPem === '' ? {} : { certificatePem: tls.certPem, keyPem: tls.keyPem }),
  };
}

/** The settings as people may see them, without private keys. */
export function withoutKeys(settings: RouteSettings): RouteSettings {
  const { service } = settings;
  if (service.tls?.keyPem === undefined) return settings;
  return { ...settings, service: { ...service, tls: { ...service.tls, keyPem: '(not shown)' } } };
}

export function routeSettings(route: Route, service: Service): RouteSettings {
  const settings = serviceSettings(service);
  return {
    name: route.name,
    service: settings,
    // The path of a gRPC call is the method's name.
    stripPath: route.stripPath ?? !settings.speaksGrpc,
    preserveHost: route.preserveHost,
    http: takes(route, RouteProtocol.HTTP),
    https: takes(route, RouteProtocol.HTTPS),
    httpsRedirect: route.httpsRedirect,
    timeouts: timeoutSettings(route.timeouts, service.timeouts, settings.speaksGrpc ? 0 : defaultTimeouts.readMs),
    retries: retrySettings(route.retries, service.retries),
  };
}

function takes(route: Route, protocol: RouteProtocol): boolean {
  return route.protocols.length === 0 || route.protocols.includes(protocol);
}

/** A stream of a gRPC call may be silent for as long as both sides like, and nobody can tell by its head which call is one. */
function timeoutSettings(
  route: Timeouts | undefined,
  service: Timeouts | undefined,
  defaultReadMs: number,
): TimeoutSettings {
  const pick = (field: 'connect' | 'read' | 'write' | 'request' | 'perTry', fallbackMs: number): number =>
    milliseconds(route?.[field] ?? service?.[field]) ?? fallbackMs;
  return {
    connectMs: pick('connect', defaultTimeouts.connectMs),
    readMs: pick('read', defaultReadMs),
    writeMs: pick('write', defaultTimeouts.writeMs),
    requestMs: pick('request', defaultTimeouts.requestMs),
    perTryMs: pick('perTry', defaultTimeouts.perTryMs),
  };
}

/** At least 1 ms, since 0 would mean no limit. */
function milliseconds(duration: Duration | undefined): number | undefined {
  if (duration === undefined) return undefined;
  return Math.max(1, Math.round(Number(duration.seconds) * 1_000 + duration.nanos / 1e6));
}

function retrySettings(route: Retries | undefined, service: Retries | undefined): RetrySettings {
  return {
    maxAttempts: 1 + (route?.attempts ?? service?.attempts ?? defaultRetries.attempts),
    budgetPercent: route?.budgetPercent ?? service?.budgetPercent ?? defaultRetries.budgetPercent,
    idempotent: route?.idempotent ?? service?.idempotent ?? false,
  };
}
