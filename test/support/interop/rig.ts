import type { ChannelOptions } from '@grpc/grpc-js';
import { Protocol } from '../../../proto/gen/sluice/v1/config_pb.js';
import { useClosing } from '../closing.js';
import { startGateway, type GatewayConfig, type TestGateway } from '../gateway.js';
import { InteropClient, startInteropServer, testService, type InteropServer } from './interop.js';
import { startRawServer, type StreamHandler } from './raw.js';

/** What the one route and the one service of a config say besides what every test needs, or instead of it. */
export interface InteropSettings {
  readonly route?: Exclude<GatewayConfig['routes'][number], { $typeName: string }>;
  readonly service?: Exclude<GatewayConfig['services'][number], { $typeName: string }>;
}

/** A client, a gateway and the servers behind it, all closed after the test that started them. */
export interface GrpcRig {
  /** A gateway before the servers on these ports, as `interopConfig` has it. */
  gatewayTo(ports: readonly number[], settings?: InteropSettings): Promise<TestGateway>;
  clientOf(gateway: TestGateway, options?: ChannelOptions): InteropClient;
  interopServer(): Promise<InteropServer>;
  /** The port of an HTTP/2 server that treats each stream as `handle` says. */
  rawServer(handle: StreamHandler): Promise<number>;
  /** What is called after the test, the last first: also for what else the test opens. */
  readonly closing: (() => Promise<void> | void)[];
}

/** For a test file to call once: each test then starts what it needs. */
export function useGrpcRig(): GrpcRig {
  const closing = useClosing();
  const keep = <T extends { close(): Promise<void> | void }>(opened: T): T => {
    closing.push(() => opened.close());
    return opened;
  };
  return {
    gatewayTo: async (ports, settings) => keep(await startGateway(interopConfig(ports, settings))),
    clientOf: ({ port }, options) => keep(new InteropClient(port, options)),
    interopServer: async () => keep(await startInteropServer()),
    rawServer: async (handle) => keep(await startRawServer(handle)).port,
    closing,
  };
}

/** All calls of the interoperability tests' service go to the service `interop`, by a route of the same name. */
export function interopConfig(ports: readonly number[], { route, service }: InteropSettings = {}): GatewayConfig {
  return {
    services: [{ name: 'interop', protocol: Protocol.GRPC, ...service }],
    routes: [{ name: 'interop', service: 'interop', grpc: [{ service: testService }], ...route }],
    endpoints: { interop: ports },
  };
}
