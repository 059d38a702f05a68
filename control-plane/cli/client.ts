import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { Client, credentials, status } from '@grpc/grpc-js';

import { BadRequestSchema } from '../../proto/gen/google/rpc/error_details_pb.js';
import { StatusSchema } from '../../proto/gen/google/rpc/status_pb.js';
import { RefusedError, UnreachableError, UsageError } from './errors.js';

import type { DescMethodServerStreaming, DescMethodUnary, Message, MessageShape } from '@bufbuild/protobuf';
import type { GenMessage } from '@bufbuild/protobuf/codegenv2';
import type { ServiceError } from '@grpc/grpc-js';
import type { BadRequest_FieldViolation } from '../../proto/gen/google/rpc/error_details_pb.js';

const maxMessageBytes = 128 * 1024 * 1024;
const callTimeoutMs = 30_000;
const loopback = /^(localhost|127\.[\d.]+|\[::1\]):/;
const detailsKey = 'grpc-status-details-bin';

/** The admin API refused the call. */
export class RefusedCall extends RefusedError {
  readonly violations: readonly BadRequest_FieldViolation[];
  readonly isTimeout: boolean;

  constructor(error: ServiceError) {
    const violations = violationsOf(error);
    super([error.details, ...violations.map(({ field, description }) => `  ${field}: ${description}`)], {
      cause: error,
    });
    this.violations = violations;
    this.isTimeout = error.code === status.DEADLINE_EXCEEDED;
  }
}

type Unary<I extends Message, O extends Message> = DescMethodUnary<GenMessage<I>, GenMessage<O>>;
type ServerStreaming<I extends Message, O extends Message> = DescMethodServerStreaming<GenMessage<I>, GenMessage<O>>;

/** Calls the admin API of one control plane; throws RefusedCall or UnreachableError. */
export class AdminClient {
  readonly #client: Client;
  readonly #address: string;

  /** `address` is `host:port`; throws UsageError when it is not. */
  constructor(address: string) {
    const [, port] = /^(?:\[[0-9a-fA-F:.]+\]|[^\s:/[\]]+):(\d{1,5})$/.exec(address) ?? [];
    if (port === undefined || Number(port) > 65_535)
      throw new UsageError(`the address of the admin API must be HOST:PORT, not ${JSON.stringify(address)}`);
    this.#address = address;
    this.#client = new Client(`dns:${address}`, credentials.createInsecure(), {
      'grpc.max_receive_message_length': maxMessageBytes,
      'grpc.max_send_message_length': maxMessageBytes,
      // A proxy that the environment names for the web cannot reach what listens here.
      'grpc.enable_http_proxy': loopback.test(address) ? 0 : 1,
    });
  }

  call<I extends Message, O extends Message>(method: Unary<I, O>, request: MessageShape<GenMessage<I>>): Promise<O> {
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        pathOf(method),
        (message: I) => Buffer.from(toBinary(method.input, message)),
        (bytes) => fromBinary(method.output, bytes),
        request,
        { deadline: Date.now() + callTimeoutMs },
        (error, response) => (error === null ? resolve(response as O) : reject(this.#translate(error))),
      );
    });
  }

  /** The control plane ends the stream by itself; `timeoutMs` is for one that has stopped answering. */
  async *stream<I extends Message, O extends Message>(
    method: ServerStreaming<I, O>,
    request: MessageShape<GenMessage<I>>,
    timeoutMs: number,
  ): AsyncIterable<O> {
    const stream = this.#client.makeServerStreamRequest(
      pathOf(method),
      (message: I) => Buffer.from(toBinary(method.input, message)),
      (bytes) => fromBinary(method.output, bytes),
      request,
      { deadline: Date.now() + timeoutMs + callTimeoutMs },
    );
    try {
      for await (const message of stream) yield message as O;
    } catch (error) {
      throw this.#translate(error as ServiceError);
    } finally {
      stream.cancel();
    }
  }

  close(): void {
    this.#client.close();
  }

  /** Errors of a control plane carry details; those that were made on the way to it carry none. */
  #translate(error: ServiceError): Error {
    const madeOnTheWay = error.metadata.get(detailsKey).length === 0;
    if (madeOnTheWay && unreached.has(error.code))
      return new UnreachableError(`no control plane answers at ${this.#address} (${error.details})`, { cause: error });
    return new RefusedCall(error);
  }
}

/** What grpc-js makes of an address where nobody, or somebody else, listens. */
const unreached: ReadonlySet<status> = new Set([
  status.UNAVAILABLE,
  status.DEADLINE_EXCEEDED,
  status.UNIMPLEMENTED,
  status.UNKNOWN,
  status.INTERNAL,
  status.CANCELLED,
]);

function pathOf(method: { readonly parent: { readonly typeName: string }; readonly name: string }): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function violationsOf(error: ServiceError): BadRequest_FieldViolation[] {
  const [bytes] = error.metadata.get(detailsKey);
  if (!(bytes instanceof Uint8Array)) return [];
  return fromBinary(StatusSchema, bytes).details.flatMap(
    (detail) => anyUnpack(detail, BadRequestSchema)?.fieldViolations ?? [],
  );
}
