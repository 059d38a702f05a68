import { fromBinary, toBinary, type DescMethodServerStreaming, type DescMethodUnary, type MessageShape } from '@bufbuild/protobuf';
import type { GenMessage } from '@bufbuild/protobuf/codegenv2';
import { anyUnpack } from '@bufbuild/protobuf/wkt';
import { Client, credentials, status, type ServiceError } from '@grpc/grpc-js';
import type { Message } from '@bufbuild/protobuf';
import { BadRequestSchema, type BadRequest_FieldViolation } from '../../proto/gen/google/rpc/error_details_pb.js';
import { StatusSchema } from '../../proto/gen/google/rpc/status_pb.js';

const maxMessageBytes = 128 * 1024 * 1024;
const callTimeoutMs = 30_000;

/** The admin API refused the call. */
export class RefusedError extends Error {
  readonly code: status;
  readonly violations: readonly BadRequest_FieldViolation[];

  constructor(error: ServiceError) {
    super(error.details);
    this.code = error.code;
    this.violations = violationsOf(error);
  }
}

/** No answer came from the address. */
export class UnreachableError extends Error {}

type Unary<I extends Message, O extends Message> = DescMethodUnary<GenMessage<I>, GenMessage<O>>;
type ServerStreaming<I extends Message, O extends Message> = DescMethodServerStreaming<GenMessage<I>, GenMessage<O>>;

/** Calls the admin API of one control plane; throws RefusedError or UnreachableError. */
export class AdminClient {
  readonly #client: Client;
  readonly #address: string;

  constructor(address: string) {
    this.#address = address;
    this.#client = new Client(address, credentials.createInsecure(), {
      'grpc.max_receive_message_length': maxMessageBytes,
      'grpc.max_send_message_length': maxMessageBytes,
    });
  }

  call<I extends Message, O extends Message>(method: Unary<I, O>, request: MessageShape<GenMessage<I>>): Promise<O> {
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        pathOf(method),
        (message: I) => Buffer.from(toBinary(method.input, message)),
        (bytes) => fromBinary(method.output, bytes) as O,
        request,
        { deadline: Date.now() + callTimeoutMs },
        (error, response) => (error === null ? resolve(response as O) : reject(this.#translate(error))),
      );
    });
  }

  async *stream<I extends Message, O extends Message>(method: ServerStreaming<I, O>, request: MessageShape<GenMessage<I>>): AsyncIterable<O> {
    const stream = this.#client.makeServerStreamRequest(
      pathOf(method),
      (message: I) => Buffer.from(toBinary(method.input, message)),
      (bytes) => fromBinary(method.output, bytes) as O,
      request,
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

  /** UNAVAILABLE from a control plane carries details; from the transport it carries none. */
  #translate(error: ServiceError): Error {
    const fromTransport = error.code === status.UNAVAILABLE && !error.metadata.get('grpc-status-details-bin').length;
    return fromTransport ? new UnreachableError(`no control plane answers at ${this.#address} (${error.details})`) : new RefusedError(error);
  }
}

function pathOf(method: { readonly parent: { readonly typeName: string }; readonly name: string }): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function violationsOf(error: ServiceError): BadRequest_FieldViolation[] {
  const [bytes] = error.metadata.get('grpc-status-details-bin');
  if (!(bytes instanceof Uint8Array)) return [];
  return fromBinary(StatusSchema, bytes).details.flatMap((detail) => anyUnpack(detail, BadRequestSchema)?.fieldViolations ?? []);
}
