import type { BodySource } from '../../body.js';
import { ProxyError } from '../../errors.js';
import type { Tunnel } from '../../exchange.js';
import { headerValue, type HeaderList } from '../../headers.js';
import { TrackedBody } from '../../tracked-body.js';
import { closeFrame, MessageReader, pongFrame, type MessageObserver } from '../../wire/websocket/websocket.js';
import { notGrpc, statusText } from '../call/answer.js';
import { boundOf, callOfMessages, callOfOne, inflaterOf, isGrpc } from '../call/call.js';
import type { BoundParameters } from '../binding/request.js';
import type { GrpcCall, TranscodedRequest } from '../call/request.js';
import { FrameReader } from './frame-reader.js';
import { MessageBody } from './message-body.js';
import { ReplyStream } from './reply-stream.js';
import { WebSocketOutput } from './web-socket-output.js';
import { failureFrames, statusFrames, WebSocketWriter } from './web-socket-writer.js';

/** What a WebSocket asks of the one who carries out its call. */
export interface WebSocketOwner {
  call(call: GrpcCall): void;
  /** The client's messages cannot become a call: tell this. */
  broken(error: ProxyError): void;
  /** How the call has ended: its gRPC code. */
  ended(code: number): void;
  /** The client has left: the call is of no use any more. */
  hungUp(): void;
}

/**
 * One call as a WebSocket (ST12). Each text message of the client is one request message in JSON, each binary one in protobuf, and
 * an empty one says that no more come; each message of the reply is one of ours. A call that fails is told in a last
 * message `{"error":…}`; the close frame has status 1000, or 4000 and the gRPC code.
 */
export class WebSocketCall implements Tunnel, MessageObserver {
  readonly received: WebSocketOutput;
  readonly #request: TranscodedRequest;
  readonly #owner: WebSocketOwner;
  readonly #reader: MessageReader;
  readonly #bound: BoundParameters;
  /** Request messages of a client-streaming method. */
  #messages: MessageBody | null = null;
  #isCalled = false;
  #sent = 0;
  #reply: ReplyStream | null = null;

  /** Throws bad_argument for what does not fit in path and query. */
  constructor(request: TranscodedRequest, owner: WebSocketOwner) {
    this.#request = request;
    this.#bound = boundOf(request);
    this.#owner = owner;
    this.#reader = new MessageReader(request.maxMessageBytes, this);
    this.received = new WebSocketOutput(() => this.#hangUp());
  }

  /** Takes the client's bytes, and calls the method as soon as its first message can be made. */
  send(body: BodySource): void {
    const { method, request: plan } = this.#request.binding;
    this.#attempt(() => {
      if (method.clientStreaming) {
        this.#messages = new MessageBody(body);
        this.#call(callOfMessages(this.#request, new TrackedBody(this.#messages)));
      } else if (!plan.usesBody) {
        this.#call(callOfOne(this.#request, new Uint8Array(0), ''));
      }
    });
    body.start({
      write: (chunk) => {
        this.#reader.push(chunk);
        return this.#messages?.hasRoom ?? true;
      },
      end: () => this.#hangUp(),
      fail: () => this.#hangUp(),
    });
  }

  // From the client.

  message(payload: Uint8Array, isText: boolean): void {
    if (this.received.isClosed) return;
    const type = isText ? 'application/json' : 'application/x-protobuf';
    this.#attempt(() => {
      if (this.#messages !== null) this.#pass(payload, type, this.#messages);
      else if (!this.#isCalled) this.#call(callOfOne(this.#request, payload, type));
    });
  }

  #pass(payload: Uint8Array, type: string, messages: MessageBody): void {
    if (payload.length === 0) {
      messages.finish();
      return;
    }
    const plan = this.#request.binding.request;
    const isFirst = this.#sent++ === 0;
    const own = isFirst ? (headerValue(this.#request.headers, 'content-type') ?? '') : '';
    messages.push(plan.frame(isFirst ? this.#bound : null, payload, plan.isHttpBody ? own : type));
  }

  ping(payload: Uint8Array): void {
    // A client that does not read is not to make us keep answers for it.
    if (this.received.hasRoom) this.received.write(pongFrame(payload));
  }

  close(): void {
    this.#hangUp();
  }

  fault(status: number): void {
    this.received.finish(closeFrame(status, ''));
    this.#hangUp();
  }

  // From the service.

  replied(status: number, headers: HeaderList, body: BodySource): void {
    const inflate = inflaterOf(this.#request, headers);
    if (status !== 200 || !isGrpc(headers) || inflate instanceof ProxyError) {
      body.cancel(new ProxyError('upstream_malformed'));
      const { code, message, details } = notGrpc(status);
      const text = statusText(this.#request, { code, message, details });
      this.#owner.ended(code);
      this.received.finish(inflate instanceof ProxyError ? failureFrames(inflate) : statusFrames(text, code, message));
      return;
    }
    const frames = new FrameReader(this.#request.maxMessageBytes, inflate);
    this.#reply = new ReplyStream(new WebSocketWriter(this.#request, headers, this.received, this.#owner));
    this.#reply.open(body, frames);
  }

  /** The client is told of the error, unless it has been told the end. */
  fail(error: ProxyError): void {
    if (this.#reply?.breakOff(error) === true) return;
    this.received.finish(failureFrames(error));
  }

  /** Nothing more is sent, and nothing read of the service. */
  cancel(error: ProxyError): void {
    this.received.finish(closeFrame(1_001, ''));
    this.#messages?.fail(error);
    this.#reply?.cancel(error);
  }

  #call(call: GrpcCall): void {
    this.#isCalled = true;
    this.#owner.call(call);
  }

  #hangUp(): void {
    this.received.finish(closeFrame(1_000, ''));
    this.#owner.hungUp();
  }

  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#owner.broken(error instanceof ProxyError ? error : new ProxyError('internal', error));
    }
  }
}
