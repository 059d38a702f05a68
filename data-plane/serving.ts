import type { EndpointSet, Resource } from '../proto/gen/sluice/v1/snapshot_pb.js';
import { addressesOf } from './addresses.js';
import type { Endpoint, EndpointAddress } from './balancer/balancer.js';
import { ClientTrust } from './client-trust.js';
import type { DataPlaneConfig } from './config.js';
import { openApiPage, type OpenApiPage, type OpenApiRequest } from './explain/explain.js';
import type { NodeRuntime } from './follow/follow.js';
import { createProbe, isDown, Prober, type ProbeNews } from './health/health.js';
import { createHttp2Codec } from './listener/http2/http2.js';
import {
  createListener,
  SecureContexts,
  type CertificateExpiry,
  type HandshakeResult,
  type Listener,
} from './listener/listener.js';
import { Metrics, type Value } from './ops/ops.js';
import { Proxy } from './proxy.js';
import { RuntimeHolder, withoutKeys, type PreparedConfig, type ServiceSettings } from './runtime/runtime.js';
import { SharedReadBuffer } from './socket/read-buffer.js';
import type { TlsBase } from './tls-base.js';
import { createHttp1Transport } from './upstream/http1/http1.js';
import { createHttp2Transport } from './upstream/http2/http2.js';
import type { Transport } from './upstream/transport.js';
import { TimerWheel } from './wheel.js';

/** A burst of connections is let in so much faster; more handles would cost each of them more looks at an empty queue. */
const acceptsPerTurn = 8;

/**
 * What a node serves requests with: in its own process (LocalServing), or in several (workers/workers.ts). The follower feeds it.
 * Made first and listening later, so that it may have a config by then.
 */
export interface Serving extends NodeRuntime {
  /** Resolves when connections are accepted, and rejects when they cannot be on one of the ports. */
  listen(): Promise<ServingPorts>;
  /** Whether there is a config, and someone to serve it. */
  readonly ready: boolean;
  readonly gauges: readonly Value[];
  metrics(): Metrics | Promise<Metrics>;
  /** Each gives something that JSON can hold, or the promise of it. */
  readonly debug: Readonly<Record<string, () => unknown>>;
  /** What is transcoded at a host, by the config that runs. */
  openApi(request: OpenApiRequest): OpenApiPage | Promise<OpenApiPage>;
  /** Answers carry Connection: close from now on, while everything is still served. */
  retire(): void;
  /** In order: no new connections, and requests in flight finish → probes → upstream connections. */
  readonly stopSteps: readonly StopStep[];
  /** What is left, now. */
  destroy(): void;
}

export interface ServingPorts {
  readonly http: number;
  /** Null: TLS is not spoken. */
  readonly tls: number | null;
}

export interface StopStep {
  readonly name: string;
  readonly deadlineMs: number;
  stop(): Promise<void>;
}

export interface DataPlaneLog {
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

export interface ServingParts {
  readonly log: DataPlaneLog;
  readonly tls: TlsBase;
  /** No control plane is heard: what the registry said of endpoints may have become untrue. */
  registryIsSilent(): boolean;
  /** Takes what the node's other processes are to hear of a probe; absent where there are none. */
  tellProbe?(news: ProbeNews): void;
}

/** A part of each deadline is for what comes after it: resets, and the last bytes of answers. */
export const spareMs = 2_000;

/** The request path of one process, from the listener to the connections to endpoints, and the probes. */
export class LocalServing implements Serving {
  readonly debug = {
    routes: () => this.#runtime.routes.map(({ settings }) => withoutKeys(settings)),
    endpoints: () => describeEndpoints(this.#runtime, performance.now()),
  };
  readonly stopSteps: readonly StopStep[];
  readonly #timers = new TimerWheel();
  readonly #metrics = new Metrics();
  readonly #runtime: RuntimeHolder;
  readonly #certificates: SecureContexts;
  readonly #listener: Listener;
  readonly #tlsListener: Listener | null;
  readonly #prober: Prober;
  readonly #log: DataPlaneLog;
  #toldOfNoCertificate = false;
  #tlsPort: number | null = null;

  constructor(config: DataPlaneConfig, { log, tls, registryIsSilent, tellProbe }: ServingParts) {
    const { host, httpPort, tlsPort, drainDeadlineMs } = config;
    const nowMs = (): number => performance.now();
    const reads = new SharedReadBuffer();
    const transport = transports(this.#timers, reads);
    const certificates = new SecureContexts({ ...tls, ticketKeys: Buffer.from(tls.ticketKeys) });
    const runtime = new RuntimeHolder({ metrics: this.#metrics, certificates, random: Math.random, transport });
    const proxy = new Proxy({
      current: () => runtime.current(),
      trust: new ClientTrust(config.trustedIps),
      metrics: this.#metrics,
      timers: this.#timers,
      latencyHeaders: config.latencyHeaders,
      tlsPort: () => this.#tlsPort,
      nowMs,
    });
    const services = (): ReturnType<RuntimeHolder['services']> => runtime.services();
    this.#log = log;
    this.#runtime = runtime;
    this.#certificates = certificates;
    const onHttp2Cut = (kind: string): void => this.#metrics.http2Flood(kind);
    const proxyHeaderFrom = addressesOf(config.proxyProtocolFrom, '--proxy-protocol-from');
    const listenerOptions = { host, wheel: this.#timers, reads, proxyHeaderFrom, onHttp2Cut, acceptsPerTurn };
    this.#listener = createListener({ ...listenerOptions, port: httpPort }, proxy);
    const listenerTls = {
      secureContext: (serverName: string) => certificates.secureContext(serverName),
      onlyContext: () => certificates.onlyContext(),
      ended: (result: HandshakeResult) => this.#countHandshake(result),
    };
    this.#tlsListener =
      tlsPort === null ? null : createListener({ ...listenerOptions, port: tlsPort, tls: listenerTls }, proxy);
    this.#prober = new Prober({
      services,
      registryIsSilent,
      probe: createProbe(transport),
      nowMs,
      random: Math.random,
      log,
      tell: (news) => tellProbe?.(news),
    });
    this.stopSteps = [
      {
        name: 'listener',
        deadlineMs: drainDeadlineMs + spareMs,
        stop: async () => void (await Promise.all(this.#listeners.map((each) => each.close(drainDeadlineMs)))),
      },
      { name: 'prober', deadlineMs: spareMs, stop: () => this.#prober.close() },
      { name: 'upstreams', deadlineMs: spareMs, stop: () => runtime.close() },
    ];
  }

  async listen(): Promise<ServingPorts> {
    const { port } = await this.#listener.listen();
    if (this.#tlsListener !== null) this.#tlsPort = (await listenForTls(this.#tlsListener)).port;
    this.#prober.start();
    return { http: port, tls: this.#tlsPort };
  }

  get #listeners(): Listener[] {
    return this.#tlsListener === null ? [this.#listener] : [this.#listener, this.#tlsListener];
  }

  get ready(): boolean {
    return this.#runtime.current() !== null;
  }

  get connections(): number {
    return this.#listeners.reduce((sum, { connections }) => sum + connections, 0);
  }

  /** Of the certificates in force. */
  get certificates(): readonly CertificateExpiry[] {
    return this.#certificates.expiries;
  }

  get gauges(): Value[] {
    return [
      ['sluice_connections', 'Client connections open.', this.connections],
      ...this.certificates.map(certificateValue),
    ];
  }

  metrics(): Metrics {
    return this.#metrics;
  }

  applyConfig(resources: readonly Resource[]): void {
    this.#runtime.applyConfig(resources);
  }

  /** Throws as `applyConfig` does, and changes nothing before the commit. */
  prepareConfig(resources: readonly Resource[]): PreparedConfig {
    return this.#runtime.prepareConfig(resources);
  }

  applyEndpoints(changed: readonly EndpointSet[], removed: readonly string[]): void {
    this.#runtime.applyEndpoints(changed, removed);
  }

  /** A probe of another process of the node. */
  hearProbe(news: ProbeNews): void {
    this.#prober.hear(news);
  }

  openApi(request: OpenApiRequest): OpenApiPage {
    return openApiPage(this.#runtime.current()?.config ?? null, request);
  }

  retire(): void {
    for (const listener of this.#listeners) listener.retire();
  }

  #countHandshake(result: HandshakeResult): void {
    this.#metrics.tlsHandshake(result);
    if (result !== 'refused' || this.#toldOfNoCertificate) return;
    this.#toldOfNoCertificate = true;
    this.#log.warn('a client wants TLS and there is no certificate: apply one, or start with --tls-cert and --tls-key');
  }

  destroy(): void {
    for (const listener of this.#listeners) listener.destroy();
    this.#runtime.destroy();
    this.#timers.close();
  }
}

/** Many do not know yet that there is a second port; its failure says how to do without. */
async function listenForTls(listener: Listener): ReturnType<Listener['listen']> {
  try {
    return await listener.listen();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${reason} (--tls-port takes another one, or off for no TLS)`, { cause: error });
  }
}

/** A series for each certificate of the config, so their number is bounded by it. */
export function certificateValue({ name, notAfterMs }: CertificateExpiry): Value {
  const help = 'When each certificate that is served ends, in seconds since 1970.';
  return ['sluice_certificate_not_after_seconds', help, notAfterMs / 1_000, `name="${name}"`];
}

/** Which transport speaks a service's protocol. */
export function transports(
  wheel: TimerWheel,
  reads: SharedReadBuffer = new SharedReadBuffer(),
): (service: ServiceSettings, endpoint: EndpointAddress) => Transport {
  const codec = createHttp2Codec();
  return ({ protocol, tls }, { address, port }) => {
    const options = { address, port, wheel, reads, ...(tls === null ? {} : { tls }) };
    switch (protocol) {
      case 'http':
      case 'https':
        return createHttp1Transport(options);
      case 'grpc':
      case 'grpcs':
        return createHttp2Transport({ ...options, ...codec });
    }
  };
}

function describeEndpoints(runtime: RuntimeHolder, nowMs: number): unknown {
  return Object.fromEntries(
    [...runtime.services()].map(({ settings, upstream }) => [
      settings.name,
      upstream.endpoints.map((endpoint) => describeEndpoint(endpoint, nowMs)),
    ]),
  );
}

/** `ejectedMs` is what is left of an ejection; who is down is out until probes pass. */
function describeEndpoint(endpoint: Endpoint, nowMs: number): unknown {
  const { id, authority, weight, suspect, requestsInFlight, health } = endpoint;
  const down = isDown(endpoint);
  const ejectedMs = down ? 0 : Math.max(0, Math.round(health.ejectedUntilMs - nowMs));
  return { id, authority, weight, suspect, requestsInFlight, ejectedMs, down };
}
