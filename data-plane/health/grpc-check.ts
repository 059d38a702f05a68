import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  HealthCheckRequestSchema,
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthCheckResponseSchema,
} from '../../proto/gen/grpc/health/v1/health_pb.js';
import type { EndpointAddress } from '../balancer/balancer.js';
import { BufferedBody, type BodySink, type BodySource } from '../body.js';
import { ProxyError } from '../errors.js';
import { headerValue, type HeaderList } from '../headers.js';
import type { ServiceSettings } from '../runtime/runtime.js';
import type { CallObserver, Transport } from '../upstream/transport.js';

export type TransportFor = (service: ServiceSettings, endpoint: EndpointAddress) => Transport;

/** Many times what the answer takes. */
const maxAnswerBytes = 1_024;

/** Calls grpc.health.v1.Health/Check over a transport of its own, which it destroys. Resolves when `service` is SERVING. */
export async function checkGrpc(
  transport: Transport,
  service: string,
  authority: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  const request = framed(toBinary(HealthCheckRequestSchema, create(HealthCheckRequestSchema, { service })));
  try {
    const answer = await new Promise<Buffer>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      transport.send(
        {
          method: 'POST',
          target: '/grpc.health.v1.Health/Check',
          authority,
          headers: ['content-type', 'application/grpc', 'te', 'trailers', 'user-agent', 'sluice'],
          body: new BufferedBody(request),
          upgrade: null,
          timeouts: { connectMs: timeoutMs, readMs: 0, writeMs: 0, perTryMs: 0 },
        },
        new Answer(resolve, reject),
      );
    });
    const { status } = fromBinary(HealthCheckResponseSchema, unframed(answer));
    if (status !== ServingStatus.SERVING) throw new Error(`is ${ServingStatus[status] ?? status}`);
  } finally {
    transport.destroy(new ProxyError('upstream_unsent'));
  }
}

/** Behind gRPC's five bytes: not compressed, and the length. */
function framed(message: Uint8Array): Buffer {
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  return frame;
}

function unframed(frame: Buffer): Buffer {
  const isOneMessage = frame.length >= 5 && frame[0] === 0 && frame.readUInt32BE(1) === frame.length - 5;
  if (!isOneMessage) throw new Error('sent an answer that cannot be read');
  return frame.subarray(5);
}

/** Gathers the one message of the answer. */
class Answer implements CallObserver, BodySink {
  readonly #resolve: (frame: Buffer) => void;
  readonly #reject: (error: Error) => void;
  readonly #chunks: Uint8Array[] = [];
  #room = maxAnswerBytes;
  #headers: HeaderList = [];

  constructor(resolve: (frame: Buffer) => void, reject: (error: Error) => void) {
    this.#resolve = resolve;
    this.#reject = reject;
  }

  informed(): void {}

  replied(status: number, headers: HeaderList, body: BodySource): void {
    if (status !== 200) this.#reject(new Error(`answered ${status}`));
    this.#headers = headers;
    body.start(this);
  }

  upgraded(): void {
    this.#reject(new Error('is not a gRPC server'));
  }

  failed(error: ProxyError): void {
    this.#reject(new Error(error.cause instanceof Error ? error.cause.message : error.kind));
  }

  write(chunk: Uint8Array): boolean {
    this.#room -= chunk.length;
    if (this.#room >= 0) this.#chunks.push(chunk);
    else this.#reject(new Error('sent an answer that is too large'));
    return true;
  }

  end(trailers: HeaderList | null): void {
    // Without a message the trailers may stand in the head.
    const status = headerValue(trailers ?? this.#headers, 'grpc-status');
    if (status === '0') this.#resolve(Buffer.concat(this.#chunks));
    else this.#reject(new Error(`answered grpc-status ${status ?? '(none)'}`));
  }

  fail(error: ProxyError): void {
    this.failed(error);
  }
}
