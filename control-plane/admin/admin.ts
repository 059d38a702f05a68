import { randomUUID } from 'node:crypto';

import { Server, ServerCredentials } from '@grpc/grpc-js';

import { file_google_rpc_error_details } from '../../proto/gen/google/rpc/error_details_pb.js';
import { Health } from '../../proto/gen/grpc/health/v1/health_pb.js';
import { ServerReflection } from '../../proto/gen/grpc/reflection/v1/reflection_pb.js';
import { Admin, type SchemaChange } from '../../proto/gen/sluice/v1/admin_pb.js';
import { AdminError, code } from '../errors.js';
import { CheckMemo, checkState, schemaDifferences } from '../snapshot/snapshot.js';
import { applyHandlers } from './apply.js';
import { certificateHandlers } from './certificates.js';
import { explainHandlers } from './explain.js';
import { serve } from './grpc/grpc.js';
import { HealthState } from './grpc/health.js';
import { Reflection } from './grpc/reflection.js';
import { nodeHandlers } from './nodes.js';
import { openApiHandlers } from './openapi.js';
import { ConfigReviews } from './reviews.js';
import { revisionHandlers } from './revisions.js';
import { routeHandlers } from './routes.js';
import { schemaStatusHandlers } from './schema-status.js';
import { adoptDescriptors, schemaHandlers } from './schemas.js';
import { serviceHandlers } from './services.js';
import { RequestValidator } from './validate.js';
import { ConfigWriter } from './writer.js';

import type { Store } from '../store/store.js';
import type { Boundary } from './grpc/grpc.js';
import type { EndpointTable, NodeTable, ReflectionTable } from './tables.js';

export type { EndpointTable, NodeRecord, NodeTable, ReflectionTable } from './tables.js';

/** A descriptor set may have 32 MiB; the rest is for what an Apply carries beside it. */
const maxRequestBytes = 64 * 1024 * 1024;

export interface AdminDeps {
  readonly store: Store;
  readonly nodes: NodeTable;
  readonly endpoints: EndpointTable;
  readonly reflections: ReflectionTable;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  readonly logger: AdminLogger;
}

/** Hears of errors that callers see only as INTERNAL with an id. */
export interface AdminLogger {
  error(message: string, fields: Readonly<Record<string, unknown>>): void;
}

/**
 * The gRPC admin API with reflection and health. Takes and gives resources, plans every write on the newest state, and answers
 * with errors that name fields. It never decides what a good route is (the snapshot room does) and never publishes anything.
 */
export interface AdminServer {
  /** Listens on `host` and resolves with the port, which is `port` unless that is 0. */
  start(host: string, port: number): Promise<number>;
  /**
   * Writes the descriptors that a service gave by reflection, by the author `reflection`, and gives what differs for callers. Rejects
   * with an AdminError when the schema is not read from that service any more, or the config would not work with them.
   */
  adoptDescriptors(schema: string, service: string, descriptorSet: Uint8Array): Promise<readonly SchemaChange[]>;
  /** Takes no more calls, lets those in flight finish, and ends them after `deadlineMs`. */
  close(deadlineMs: number): Promise<void>;
}

export function createAdminServer(deps: AdminDeps): AdminServer {
  const server = new Server({ 'grpc.max_receive_message_length': maxRequestBytes, 'grpc.max_send_message_length': -1 });
  const validator = new RequestValidator();
  const closing = new AbortController();
  const services = [Admin, Health, ServerReflection];
  const health = new HealthState(services.map(({ typeName }) => typeName));
  const memo = new CheckMemo();
  const writer = new ConfigWriter(
    deps.store,
    deps.clock,
    (resources) => checkState(resources, memo),
    (before, after) => schemaDifferences(before, after, memo),
  );
  addServices(
    server,
    deps,
    {
      writer,
      memo,
      reviews: new ConfigReviews(memo),
      validator,
      health,
      reflection: new Reflection(services, [file_google_rpc_error_details]),
    },
    closing.signal,
  );
  return {
    async start(host, port) {
      validator.warmUp(Admin.methods.map(({ input }) => input));
      return bind(server, `${host.includes(':') ? `[${host}]` : host}:${port}`);
    },
    adoptDescriptors: (schema, service, descriptorSet) => adoptDescriptors(writer, schema, service, descriptorSet),
    async close(deadlineMs) {
      health.stop();
      closing.abort();
      await shutdown(server, deadlineMs);
    },
  };
}

interface Parts {
  readonly writer: ConfigWriter;
  readonly memo: CheckMemo;
  readonly reviews: ConfigReviews;
  readonly validator: RequestValidator;
  readonly health: HealthState;
  readonly reflection: Reflection;
}

function addServices(
  server: Server,
  deps: AdminDeps,
  { writer, memo, reviews, validator, health, reflection }: Parts,
  closing: AbortSignal,
): void {
  const { store, endpoints, reflections, logger } = deps;
  const boundary: Boundary = {
    admit: (schema, message) => validator.check(schema, message),
    toAdminError: (error, method) => (error instanceof AdminError ? error : unexpected(error, method, logger)),
  };
  serve(
    server,
    Admin,
    {
      ...serviceHandlers(store, writer),
      ...routeHandlers(store, writer),
      ...schemaHandlers(store, writer),
      ...schemaStatusHandlers(store, reflections, memo),
      ...certificateHandlers(store, writer),
      ...applyHandlers(writer),
      ...revisionHandlers(store),
      ...nodeHandlers({ ...deps, closing }),
      ...explainHandlers({ store, endpoints, writer, reviews }),
      ...openApiHandlers(store, reviews),
    },
    boundary,
  );
  serve(server, Health, health.handlers(), boundary);
  const answer = {
    serverReflectionInfo: async (request: Parameters<Reflection['answer']>[0]) => reflection.answer(request),
  };
  serve(server, ServerReflection, answer, boundary);
  // Older clients ask under this name; the messages are the same.
  serve(server, ServerReflection, answer, boundary, 'grpc.reflection.v1alpha.ServerReflection');
}

/** The caller gets an id to quote; what happened stands in the log under it. */
function unexpected(error: unknown, method: string, logger: AdminLogger): AdminError {
  const id = randomUUID();
  logger.error('admin call failed', { id, method, error });
  return new AdminError(
    code.internal,
    'INTERNAL',
    `The control plane failed; its log says more under ${id}.`,
    [],
    error,
  );
}

function bind(server: Server, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) =>
      error === null ? resolve(port) : reject(error),
    );
  });
}

function shutdown(server: Server, deadlineMs: number): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => server.forceShutdown(), deadlineMs);
    server.tryShutdown(() => {
      clearTimeout(force);
      resolve();
    });
  });
}
