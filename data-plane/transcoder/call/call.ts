import { BufferedBody, emptyBody, type BodySink, type BodySource } from '../../body.js';
import { asProxyError, ProxyError } from '../../errors.js';
import { headerValue, type HeaderList } from '../../headers.js';
import { TrackedBody } from '../../tracked-body.js';
import { isAcceptable, isForm } from '../binding/content.js';
import { isMultipart, readParts } from '../binding/multipart.js';
import type { BoundParameters } from '../binding/request.js';
import { FrameReader } from '../stream/frame-reader.js';
import { ReplyStream } from '../stream/reply-stream.js';
import { RequestStream } from '../stream/request-stream.js';
import { StreamAnswer } from '../stream/stream-answer.js';
import { notGrpc, statusAnswer, unaryAnswer } from './answer.js';
import { Gather, type GatherObserver } from './gather.js';
import { addRequestMetadata, callerTimeoutMs } from './metadata.js';
import { queryOf, type Answer, type GrpcCall, type InflateMessage, type TranscodedRequest } from './request.js';

export interface CallReadiness {
  ready(call: GrpcCall): void;
  failed(error: ProxyError): void;
}

export interface ReplyObserver {
  answered(answer: Answer): void;
  failed(error: ProxyError): void;
}

/** Stops what a step is reading; its observer hears nothing more. Idempotent. */
export interface Cancel {
  cancel(error: ProxyError): void;
}

/** An answer that is being made of a reply. */
export interface Reply extends Cancel {
  /**
   * Ends an answer that has begun with what the error is, where its format can tell, and else breaks it off; the service is read
   * no more. False, with nothing done, when no answer has begun.
   */
  fail(error: ProxyError): boolean;
}

/**
 * Makes the gRPC call of an HTTP request. A body that is one message is gathered, up to the limit; one that is many becomes
 * frames as it arrives; one that the binding does not use is read and dropped, so that the client's going away is noticed
 * (BD4). Exactly one of `ready` and `failed` is called, perhaps within this call.
 */
export function prepareCall(sent: TranscodedRequest, observer: CallReadiness): Cancel {
  const request = decoded(sent);
  const refusal = request instanceof ProxyError ? request : refusalOf(request);
  if (request instanceof ProxyError || refusal !== null) {
    observer.failed(refusal as ProxyError);
    return nothingToCancel;
  }
  const { method, request: plan } = request.binding;
  const contentType = contentTypeOf(request);
  if (isForm(contentType) && !plan.isWholeBody) return prepare(request, observer, formCall);
  if (isMultipart(contentType) && !plan.isHttpBody && !method.clientStreaming) {
    return prepare(request, observer, multipartCall);
  }
  if (!plan.usesBody) {
    request.body.start(drain);
    new Preparation(request, observer, unaryCall).gathered(emptyBody.bytes);
    return request.body;
  }
  if (method.clientStreaming) {
    new Preparation(request, observer, streamedCall).gathered(emptyBody.bytes);
    return nothingToCancel;
  }
  return prepare(request, observer, unaryCall);
}

function prepare(request: TranscodedRequest, observer: CallReadiness, callOf: CallMaker): Cancel {
  const preparation = new Preparation(request, observer, callOf);
  const gather = new Gather(request.body, request.maxMessageBytes, 'payload_too_large', preparation);
  gather.start();
  return gather;
}

type CallMaker = (request: TranscodedRequest, body: Uint8Array) => GrpcCall;

/** Makes the call when the body is there; what that throws is reported, and not what its observer does. */
class Preparation implements GatherObserver {
  readonly #request: TranscodedRequest;
  readonly #observer: CallReadiness;
  readonly #callOf: CallMaker;

  constructor(request: TranscodedRequest, observer: CallReadiness, callOf: CallMaker) {
    this.#request = request;
    this.#observer = observer;
    this.#callOf = callOf;
  }

  gathered(body: Uint8Array): void {
    let call: GrpcCall;
    try {
      call = this.#callOf(this.#request, body);
    } catch (error) {
      this.#observer.failed(asProxyError(error));
      return;
    }
    this.#observer.ready(call);
  }

  failed(error: ProxyError): void {
    this.#observer.failed(error);
  }
}

/** The request with its body as it was before it was compressed (CP1). */
function decoded(request: TranscodedRequest): TranscodedRequest | ProxyError {
  const { headers, body, codings } = request;
  const coding = headerValue(headers, 'content-encoding');
  if (coding === undefined) return request;
  if (coding.toLowerCase() === 'identity' || body.length === 0 || !readsBody(request)) return request;
  const plain = codings.decodedBody(coding, body);
  if (plain !== null) return { ...request, body: plain };
  return new ProxyError('unsupported_media_type', undefined, { headers: ['Accept-Encoding', codings.acceptedCodings] });
}

function readsBody(request: TranscodedRequest): boolean {
  const type = contentTypeOf(request);
  return request.binding.request.usesBody || isForm(type) || isMultipart(type);
}

/** What can be said without reading the body: an Accept that nothing fits (CN3). */
function refusalOf({ binding, headers }: TranscodedRequest): ProxyError | null {
  if (binding.habits.profile !== 'strict' || binding.response.isHttpBody) return null;
  const accept = headerValue(headers, 'accept') ?? '';
  const { serverStreaming } = binding.method;
  if (isAcceptable(accept, serverStreaming)) return null;
  const message = serverStreaming
    ? 'The method answers in JSON, lines of it or server-sent events.'
    : 'The method answers in JSON or protobuf.';
  return new ProxyError('bad_request', undefined, { status: 406, message });
}

/**
 * Makes the answer of a gRPC reply: of its only message and its status, or of messages as they come. Exactly one of `answered`
 * and `failed` is called, perhaps within this call; a status that is not OK is an answer, not a failure. Of a stream the answer
 * comes with its first message.
 */
export function readReply(
  request: TranscodedRequest,
  status: number,
  headers: HeaderList,
  body: BodySource,
  observer: ReplyObserver,
): Reply {
  if (request.binding.method.serverStreaming) {
    const reply = awaitReply(request, observer);
    reply.replied(status, headers, body);
    return reply;
  }
  if (status !== 200 || !isGrpc(headers)) {
    body.cancel(new ProxyError('upstream_malformed'));
    observer.answered(statusAnswer(request, notGrpc(status), headers, []));
    return noReply;
  }
  const inflate = inflaterOf(request, headers);
  if (inflate instanceof ProxyError) {
    body.cancel(inflate);
    observer.failed(inflate);
    return noReply;
  }
  const reply = new UnaryReply(request, headers, body, inflate, observer);
  reply.start();
  return reply;
}

/** The answer to it begins when all of it is there. */
class UnaryReply implements Reply, GatherObserver {
  readonly #request: TranscodedRequest;
  readonly #headers: HeaderList;
  readonly #inflate: InflateMessage | null;
  readonly #observer: ReplyObserver;
  readonly #gather: Gather;

  constructor(
    request: TranscodedRequest,
    headers: HeaderList,
    body: BodySource,
    inflate: InflateMessage | null,
    observer: ReplyObserver,
  ) {
    this.#request = request;
    this.#headers = headers;
    this.#inflate = inflate;
    this.#observer = observer;
    this.#gather = new Gather(body, request.maxMessageBytes + 5, 'upstream_too_large', this);
  }

  start(): void {
    this.#gather.start();
  }

  gathered(bytes: Uint8Array, trailers: HeaderList | null): void {
    let answer: Answer;
    try {
      answer = unaryAnswer(this.#request, this.#headers, bytes, trailers ?? [], this.#inflate);
    } catch (error) {
      this.#observer.failed(asProxyError(error));
      return;
    }
    this.#observer.answered(answer);
  }

  failed(error: ProxyError): void {
    this.#observer.failed(error);
  }

  cancel(error: ProxyError): void {
    this.#gather.cancel(error);
  }

  fail(): boolean {
    return false;
  }
}

/** A reply that may be answered before it comes: heartbeats do not wait for a service that has nothing to say yet (ST14). */
export interface AwaitedReply extends Reply {
  replied(status: number, headers: HeaderList, body: BodySource): void;
}

/** The answer to a server-streaming call that is on its way; the rest as `readReply`. */
export function awaitReply(request: TranscodedRequest, observer: ReplyObserver): AwaitedReply {
  const answer = new StreamAnswer(request, observer);
  const stream = new ReplyStream(answer);
  return {
    replied: (status, headers, body) => {
      const inflate = inflaterOf(request, headers);
      answer.replied(headers);
      if (status === 200 && isGrpc(headers) && !(inflate instanceof ProxyError)) {
        stream.open(body, new FrameReader(request.maxMessageBytes, inflate));
        return;
      }
      const error = inflate instanceof ProxyError ? inflate : new ProxyError('upstream_malformed');
      body.cancel(error);
      if (stream.breakOff(error)) return;
      stream.cancel(error);
      if (inflate instanceof ProxyError) observer.failed(inflate);
      else observer.answered(statusAnswer(request, notGrpc(status), headers, []));
    },
    cancel: (error) => stream.cancel(error),
    fail: (error) => stream.breakOff(error),
  };
}

/** How the messages of a reply with these fields are inflated (CP3), or that nobody knows. */
export function inflaterOf({ codings }: TranscodedRequest, headers: HeaderList): InflateMessage | null | ProxyError {
  const encoding = headerValue(headers, 'grpc-encoding');
  if (encoding === undefined || encoding === 'identity') return null;
  const inflate = codings.messageInflater(encoding);
  return inflate ?? new ProxyError('upstream_malformed', new Error('the service sent an unknown grpc-encoding'));
}

function unaryCall(request: TranscodedRequest, body: Uint8Array): GrpcCall {
  return callOfOne(request, body, contentTypeOf(request));
}

/** The call with one message, of which `body` is what the binding takes from a body. Throws a ProxyError, as `boundOf` does. */
export function callOfOne(request: TranscodedRequest, body: Uint8Array, contentType: string): GrpcCall {
  return callOfMessages(
    request,
    new BufferedBody(request.binding.request.frameShort(boundOf(request), body, contentType)),
  );
}

/** What path and query give. */
export function boundOf({ binding, variables, target }: TranscodedRequest): BoundParameters {
  return binding.request.bind(variables, queryOf(target));
}

/** A form is parameters, as if they stood in the query (BD14, BD15). */
function formCall(request: TranscodedRequest, form: Uint8Array): GrpcCall {
  const { request: plan, habits } = request.binding;
  if (habits.profile === 'grpc-gateway' && plan.usesBody && isJsonAllTheSame(form)) return unaryCall(request, form);
  const parameters = [queryOf(request.target), latin1.decode(form)].filter((text) => text !== '').join('&');
  const bound = plan.bind(request.variables, parameters);
  return callOfMessages(request, new BufferedBody(plan.frameShort(bound, emptyBody.bytes, '')));
}

/** `curl -d '{…}'` says that JSON is a form. No name in a form begins so: its brace would be escaped. */
function isJsonAllTheSame(form: Uint8Array): boolean {
  const first = form.find((byte) => byte > 0x20);
  return first === 0x7b /* { */ || first === 0x5b; /* [ */
}

function multipartCall(request: TranscodedRequest, form: Uint8Array): GrpcCall {
  const { request: plan } = request.binding;
  const parts = readParts(form, contentTypeOf(request));
  const bound = plan.bindParts(request.variables, queryOf(request.target), parts);
  return callOfMessages(request, new BufferedBody(plan.frameShort(bound, emptyBody.bytes, '')));
}

function streamedCall(request: TranscodedRequest): GrpcCall {
  const { request: plan } = request.binding;
  const bound = boundOf(request);
  const { body, maxMessageBytes } = request;
  const stream = new RequestStream({ plan, bound, contentType: contentTypeOf(request), body, maxMessageBytes });
  return callOfMessages(request, new TrackedBody(stream));
}

/** The call with messages that are in their frames. */
export function callOfMessages(request: TranscodedRequest, body: BodySource): GrpcCall {
  const { method, habits } = request.binding;
  const headers: HeaderList = [];
  addRequestMetadata(request.headers, habits.plainMetadataNames, headers);
  if (habits.sendOriginal) headers.push('x-original-method', request.method, 'x-original-path', request.target);
  if (headerValue(headers, 'user-agent') === undefined) headers.push('user-agent', 'sluice');
  const { blocks, codings } = request;
  const added = blocks.blockFor(request.added, habits.plainMetadataNames, codings.acceptedGrpcEncodings);
  return { target: method.path, headers, added, body, timeoutMs: callerTimeoutMs(request.headers) };
}

function contentTypeOf({ headers }: TranscodedRequest): string {
  return headerValue(headers, 'content-type') ?? '';
}

export function isGrpc(headers: HeaderList): boolean {
  const type = headerValue(headers, 'content-type') ?? '';
  return type === 'application/grpc' || /^application\/grpc([+;]|$)/i.test(type);
}

const latin1 = new TextDecoder('latin1');

const nothingToCancel: Cancel = { cancel: () => {} };
const noReply: Reply = { cancel: () => {}, fail: () => false };

const drain: BodySink = { write: () => true, end: () => {}, fail: () => {} };
