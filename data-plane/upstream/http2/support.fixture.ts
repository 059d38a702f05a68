import type { BodySink, BodySource } from '../../body.js';
import { emptyBody } from '../../body.js';
import type { ProxyError } from '../../errors.js';
import type { HeaderList } from '../../headers.js';
import type { ActiveCall, Call, CallObserver, CallTimeouts, Transport } from '../transport.js';

export const noTimeouts: CallTimeouts = { connectMs: 2_000, readMs: 0, writeMs: 0, perTryMs: 0 };

export function get(target: string, timeouts: Partial<CallTimeouts> = {}): Call {
  return { ...grpc(target, emptyBody, timeouts), method: 'GET', headers: ['accept', '*/*'] };
}

export function grpc(target: string, body: BodySource, timeouts: Partial<CallTimeouts> = {}): Call {
  const headers = ['content-type', 'application/grpc', 'te', 'trailers'];
  return {
    method: 'POST',
    target,
    authority: 'test.local',
    headers,
    body,
    upgrade: null,
    timeouts: { ...noTimeouts, ...timeouts },
  };
}

/** A gRPC message behind its five bytes of framing. */
export function framed(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** Follows a call; each step can be awaited. Reads the body as it comes unless told to pause. */
export class Recorder implements CallObserver, BodySink {
  readonly call: ActiveCall;
  status = 0;
  headers: HeaderList = [];
  trailers: HeaderList | null = null;
  readonly informs: number[] = [];
  readonly chunks: Uint8Array[] = [];
  error: ProxyError | null = null;
  body: BodySource | null = null;
  bytes = 0;
  onBytes: (bytes: number) => void = () => {};
  paused: boolean;
  readonly done: Promise<this>;
  readonly replying: Promise<this>;
  #resolveDone: (recorder: this) => void = () => {};
  #resolveReply: (recorder: this) => void = () => {};

  constructor(transport: Transport, call: Call, paused = false) {
    this.paused = paused;
    this.done = new Promise((resolve) => (this.#resolveDone = resolve));
    this.replying = new Promise((resolve) => (this.#resolveReply = resolve));
    this.call = transport.send(call, this);
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString('latin1');
  }

  informed(status: number): void {
    this.informs.push(status);
  }

  replied(status: number, headers: HeaderList, body: BodySource): void {
    this.status = status;
    this.headers = headers;
    this.body = body;
    this.#resolveReply(this);
    body.start(this);
  }

  upgraded(): void {
    throw new Error('unexpected upgrade');
  }

  failed(error: ProxyError): void {
    this.fail(error);
  }

  write(chunk: Uint8Array): boolean {
    this.chunks.push(chunk);
    this.bytes += chunk.length;
    this.onBytes(this.bytes);
    return !this.paused;
  }

  end(trailers: HeaderList | null): void {
    this.trailers = trailers;
    this.#resolveDone(this);
  }

  fail(error: ProxyError): void {
    this.error = error;
    this.#resolveReply(this);
    this.#resolveDone(this);
  }

  resume(): void {
    this.paused = false;
    this.body?.resume();
  }
}

/** The value once it has stopped changing for a while. */
export async function settled(value: () => number): Promise<number> {
  let last = value();
  for (let same = 0; same < 5;) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    same = value() === last ? same + 1 : 0;
    last = value();
  }
  return last;
}
