import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { Client, credentials, Metadata } from '@grpc/grpc-js';

import { createAdminServer } from '../../control-plane/admin/admin.js';
import { BadRequestSchema, ErrorInfoSchema } from '../../proto/gen/google/rpc/error_details_pb.js';
import { StatusSchema } from '../../proto/gen/google/rpc/status_pb.js';
import { Admin } from '../../proto/gen/sluice/v1/admin_pb.js';
import { EndpointVersionSchema } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { openFreshStore } from './database.js';
import { anyUnpack } from '@bufbuild/protobuf/wkt';

import type { DescMethod, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import type { ServiceError } from '@grpc/grpc-js';
import type { EndpointTable, NodeRecord, NodeTable, ReflectionTable } from '../../control-plane/admin/admin.js';
import type { Store } from '../../control-plane/store/store.js';
import type { EndpointSet, ReflectionStatus } from '../../proto/gen/sluice/v1/snapshot_pb.js';

type Methods = (typeof Admin)['method'];

/** What an admin call was refused with, as a client library would see it. */
export interface Refusal {
  readonly code: number;
  readonly message: string;
  readonly reason: string;
  readonly fields: readonly string[];
  readonly descriptions: readonly string[];
}

/** Calls the admin API over a real connection; a refused call rejects with grpc-js's ServiceError (see `refusalOf`). */
export class AdminClient {
  readonly #client: Client;

  constructor(address: string) {
    this.#client = new Client(address, credentials.createInsecure(), {
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
    });
  }

  call<K extends keyof Methods>(
    name: K,
    request: MessageInitShape<Methods[K]['input']>,
  ): Promise<MessageShape<Methods[K]['output']>> {
    const method: DescMethod = Admin.method[name];
    const output: Methods[K]['output'] = Admin.method[name].output;
    return this.send(method.name, toBinary(method.input, create(method.input, request))).then((bytes) =>
      fromBinary(output, bytes),
    );
  }

  /** Sends bytes that need not be a message. */
  send(rpc: string, bytes: Uint8Array, service: string = Admin.typeName): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(`/${service}/${rpc}`, toBuffer, toBuffer, Buffer.from(bytes), (error, answer) => {
        if (error !== null) reject(error);
        else resolve(answer ?? Buffer.alloc(0));
      });
    });
  }

  /** Messages of a server stream as they come; `cancel` by leaving the loop. */
  async *stream(rpc: string, bytes: Uint8Array, service: string = Admin.typeName): AsyncGenerator<Uint8Array> {
    const call = this.#client.makeServerStreamRequest(
      `/${service}/${rpc}`,
      toBuffer,
      toBuffer,
      Buffer.from(bytes),
      new Metadata(),
    );
    try {
      for await (const message of call) yield message as Buffer;
    } finally {
      call.cancel();
    }
  }

  /** Sends the messages on one bidirectional stream and gives all the answers. */
  async converse(rpc: string, messages: readonly Uint8Array[], service: string): Promise<Uint8Array[]> {
    const call = this.#client.makeBidiStreamRequest(`/${service}/${rpc}`, toBuffer, toBuffer, new Metadata());
    for (const message of messages) call.write(Buffer.from(message));
    call.end();
    const answers: Uint8Array[] = [];
    for await (const answer of call) answers.push(answer as Buffer);
    return answers;
  }

  close(): void {
    this.#client.close();
  }
}

function toBuffer(bytes: Buffer): Buffer {
  return bytes;
}

/** The refusal that `call` ends with; fails when it succeeds, or ends with anything but a gRPC status. */
export async function refusalOf(call: Promise<unknown>): Promise<Refusal> {
  const error: unknown = await call.then(
    (answer) =>
      new Error(
        `was not refused: ${JSON.stringify(answer, (_, v: unknown) => (typeof v === 'bigint' ? `${v}` : v)).slice(0, 300)}`,
      ),
    (failure: unknown) => failure,
  );
  if (!isServiceError(error)) throw error;
  const [details] = error.metadata.get('grpc-status-details-bin');
  if (!Buffer.isBuffer(details))
    return { code: error.code, message: error.details, reason: '', fields: [], descriptions: [] };
  const status = fromBinary(StatusSchema, details);
  const violations = status.details.flatMap((any) => anyUnpack(any, BadRequestSchema)?.fieldViolations ?? []);
  return {
    code: error.code,
    message: error.details,
    reason:
      status.details.map((any) => anyUnpack(any, ErrorInfoSchema)?.reason).find((reason) => reason !== undefined) ?? '',
    fields: violations.map(({ field }) => field),
    descriptions: violations.map(({ description }) => description),
  };
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && 'code' in error && 'metadata' in error;
}

/** The ports that sync fulfils in production, settable by hand. */
export class SettableTables implements NodeTable, EndpointTable, ReflectionTable {
  readonly #watchers = new Set<() => void>();
  #nodes: readonly NodeRecord[] = [];
  readonly sets = new Map<string, EndpointSet>();
  readonly reflections = new Map<string, ReflectionStatus>();

  setNodes(nodes: readonly NodeRecord[]): void {
    this.#nodes = nodes;
    for (const changed of this.#watchers) changed();
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  nodes(): readonly NodeRecord[] {
    return this.#nodes;
  }

  watch(changed: () => void): () => void {
    this.#watchers.add(changed);
    return () => this.#watchers.delete(changed);
  }

  endpoints(service: string): EndpointSet | null {
    return this.sets.get(service) ?? null;
  }

  status(schema: string): ReflectionStatus | null {
    return this.reflections.get(schema) ?? null;
  }

  version() {
    return create(EndpointVersionSchema, { epoch: 1n, sequence: 7n });
  }
}

export interface AdminFixture extends AsyncDisposable {
  readonly client: AdminClient;
  readonly address: string;
  readonly store: Store;
  readonly tables: SettableTables;
  /** What the server wrote to its log as an error. */
  readonly logged: { message: string; fields: Readonly<Record<string, unknown>> }[];
  revision(): Promise<bigint>;
  /** Closes the server alone. */
  stop(): Promise<void>;
  close(): Promise<void>;
}

export interface AdminOptions {
  /** One that is open already, and stays open; otherwise an empty one on the real Postgres. */
  readonly store?: Store;
  /** Puts something between the server and its store. */
  readonly wrap?: (store: Store) => Store;
  readonly clock?: () => number;
}

/** A real admin server, and a client connected to it. */
export async function startAdmin({
  store: given,
  wrap = (store) => store,
  clock = Date.now,
}: AdminOptions = {}): Promise<AdminFixture> {
  const store = given ?? (await openFreshStore());
  const tables = new SettableTables();
  const logged: AdminFixture['logged'] = [];
  const logger = {
    error: (message: string, fields: Readonly<Record<string, unknown>>) => void logged.push({ message, fields }),
  };
  const server = createAdminServer({
    store: wrap(store),
    nodes: tables,
    endpoints: tables,
    reflections: tables,
    clock,
    logger,
  });
  const address = `127.0.0.1:${await server.start('127.0.0.1', 0)}`;
  const client = new AdminClient(address);
  const stop = (): Promise<void> => server.close(1000);
  const close = async (): Promise<void> => {
    client.close();
    await stop();
    if (given === undefined) await store.close();
  };
  const revision = async () => (await store.read()).version.revision;
  return { client, address, store, tables, logged, revision, stop, close, [Symbol.asyncDispose]: close };
}
