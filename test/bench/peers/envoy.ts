import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort, makeWorkDir } from '../../../deploy/servers/servers.js';
import { weightOf, type System } from '../harness/harness.js';
import { findEnvoy } from './envoy-binary.js';
import { startPeerProcess } from './peer-process.js';
import { running } from './running.js';

/** What Envoy's transcoder works by. */
export interface EnvoyTranscoding {
  readonly descriptorSet: string;
  readonly services: readonly string[];
}

/** Envoy with one worker, over HTTP/2 to the service. With its JSON transcoder fields that are not set are printed, as by us. */
export function envoy(transcoding: EnvoyTranscoding | null): System {
  return {
    name: 'envoy',
    required: false,
    async start(upstreamPorts) {
      const path = await findEnvoy(process.env);
      const port = await freePort();
      const workDir = await makeWorkDir('envoy', undefined);
      const file = join(workDir, 'envoy.json');
      await writeFile(file, JSON.stringify(configuration(port, transcoding, upstreamPorts)));
      const server = await startPeerProcess({
        name: 'envoy',
        port,
        binary: { path, libraryDirs: [] },
        args: ['--config-path', file, '--concurrency', '1', '--disable-hot-restart', '--log-level', 'error'],
        workDir,
      });
      return running(server);
    },
  };
}

function transcoder({ descriptorSet, services }: EnvoyTranscoding): object {
  return {
    name: 'envoy.filters.http.grpc_json_transcoder',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder',
      proto_descriptor: descriptorSet,
      services,
      print_options: { always_print_primitive_fields: true },
    },
  };
}

function configuration(port: number, transcoding: EnvoyTranscoding | null, upstreamPorts: readonly number[]): object {
  const router = {
    name: 'envoy.filters.http.router',
    typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
  };
  const manager = {
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
    stat_prefix: 'bench',
    route_config: {
      virtual_hosts: [
        { name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'grpc' } }] },
      ],
    },
    http_filters: transcoding === null ? [router] : [transcoder(transcoding), router],
  };
  const endpoints = upstreamPorts.map((each, i) => ({
    endpoint: { address: address(each) },
    load_balancing_weight: weightOf(i),
  }));
  const http2 = {
    '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
    explicit_http_config: { http2_protocol_options: {} },
  };
  const cluster = {
    name: 'grpc',
    type: 'STATIC',
    connect_timeout: '5s',
    typed_extension_protocol_options: { 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': http2 },
    // The defaults refuse what a benchmark sends at once.
    circuit_breakers: { thresholds: [{ max_connections: 10_000, max_pending_requests: 10_000, max_requests: 10_000 }] },
    load_assignment: { cluster_name: 'grpc', endpoints: [{ lb_endpoints: endpoints }] },
  };
  const filter = { name: 'envoy.filters.network.http_connection_manager', typed_config: manager };
  return {
    static_resources: {
      listeners: [{ name: 'http', address: address(port), filter_chains: [{ filters: [filter] }] }],
      clusters: [cluster],
    },
  };
}

function address(port: number): object {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}
