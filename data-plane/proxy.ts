import type { Endpoint } from './balancer/balancer.js';
import { emptyBody, type BodySource } from './body.js';
import type { ClientTrust } from './client-trust.js';
import { asProxyError, ProxyError } from './errors.js';
import type { Exchange, ExchangeSummary, RequestHandler, RequestObserver, Tunnel } from './exchange.js';
import { forwardRequest, isReplayable, releaseBody, type Outgoing } from './forward.js';
import { grpcCode, isServiceFault, withTimeout } from './grpc/grpc.js';
import { fieldList, type HeaderList, type MessageFields } from './headers.js';
import { judgeAnswer, judgeFailure } from './health/health.js';
import type { Metrics } from './ops/ops.js';
import { isNativeCall, PassedCall, type PassedCallObserver } from './passed-call.js';
import { mayRetry, needsBudget } from './retry.js';
import type { Match } from './router/router.js';
import { requireProtocol, type RouteTarget, type Runtime } from './runtime/runtime.js';
import { ReplyBlocks, type ClientFacts, type Latency } from './shape.js';
import { TranscodedExchange, type TranscodedObserver } from './transcoded-exchange.js';
import { CallBlocks, type Answer } from './transcoder/transcoder.js';
import type { ActiveCall, CallObserver } from './upstream/transport.js';
import { WheelTimer, type TimerWheel } from './wheel.js';

/**
 * One request from the client's head to the last byte of the answer; start reading here. The steps, in order: match, shape (or
 * transcode), pick, send, and then either reply or, where it is safe, pick again. Nothing is parsed and no socket is touched in
 * this file. The runtime is read once, so a request ends with the config it began with.
 */
export class Proxy implements RequestHandler {
  readonly #context: ProxyContext;
  readonly #blocks: Blocks = { replies: new ReplyBlocks(), calls: new CallBlocks() };

  constructor(context: ProxyContext) {
    this.#context = context;
  }

  handle(exchange: Exchange): RequestObserver {
    const request = new ProxiedRequest(this.#context, exchange, this.#blocks);
    request.start();
    return request;
  }
}

export interface ProxyContext {
  /** The runtime in force; null while the node has never had a config. */
  current(): Runtime | null;
  readonly trust: ClientTrust;
  readonly metrics: Metrics;
  readonly timers: TimerWheel;
  readonly latencyHeaders: boolean;
  /** Where this node speaks TLS; null when it does not. */
  readonly tlsPort: () => number | null;
  /** Milliseconds on the clock of the exchanges' `startMs`. */
  nowMs(): number;
}

/** Fields that requests have in common. */
interface Blocks {
  readonly replies: ReplyBlocks;
  readonly calls: CallBlocks;
}

/** Most requests need one attempt, so none of them makes a list of its own. */
const noEndpoints: readonly Endpoint[] = [];

/** A service may find a call's time to be up this much before we do. */
const deadlineSlackMs = 10;

class ProxiedRequest implements RequestObserver, CallObserver, TranscodedObserver, PassedCallObserver {
  readonly #context: ProxyContext;
  readonly #exchange: Exchange;
  readonly #blocks: Blocks;
  #target: RouteTarget | null = null;
  #outgoing: Outgoing | null = null;
  /** Stands between the client and a service that speaks gRPC; null where plain requests are forwarded. */
  #call: TranscodedExchange | PassedCall | null = null;
  #grpcCode: number = grpcCode.cancelled;
  #endpoint: Endpoint | null = null;
  #tried: readonly Endpoint[] = noEndpoints;
  #active: ActiveCall | null = null;
  #deadline: WheelTimer | null = null;
  #deadlineMs = Infinity;
  #sentMs = 0;
  /** This is still the turn in which the head was read: it is as late as it was then. */
  #isStarting = true;
  #retrying = false;

  constructor(context: ProxyContext, exchange: Exchange, blocks: Blocks) {
    this.#context = context;
    this.#exchange = exchange;
    this.#blocks = blocks;
  }

  start(): void {
    try {
      const runtime = this.#context.current();
      if (runtime === null) throw new ProxyError('no_config');
      const facts = this.#context.trust.facts(this.#exchange);
      const match = runtime.match(this.#exchange);
      if (match.kind === 'allowed') {
        this.#exchange.respond(204, ['Allow', match.methods.join(', ')], emptyBody);
        return;
      }
      requireProtocol(this.#exchange, match.target.route, facts.secure, this.#context.tlsPort);
      this.#target = match.target;
      match.target.upstream.requestsInFlight++;
      this.#startDeadline(match.target.requestMs);
      this.#shape(match, facts, match.target);
    } catch (error) {
      this.#fail(asProxyError(error));
    }
    this.#isStarting = false;
  }

  #shape(match: Match<RouteTarget>, facts: ClientFacts, { binding, speaksGrpc }: RouteTarget): void {
    if (!speaksGrpc) {
      this.#send(forwardRequest(this.#exchange, match, facts));
    } else if (binding === null || isNativeCall(this.#exchange.head, binding)) {
      const call = (this.#call = new PassedCall(this.#exchange, this));
      call.start(match, facts);
    } else {
      const call = (this.#call = new TranscodedExchange(
        this.#exchange,
        match,
        facts,
        binding,
        this.#context.timers,
        this.#blocks.calls,
        this,
      ));
      call.start();
    }
  }

  /** A gRPC call is ready to be sent; the caller's time may be shorter than the route's. */
  call(outgoing: Outgoing, timeoutMs: number | null): void {
    if (timeoutMs !== null) this.#startDeadline(timeoutMs);
    if (timeoutMs === 0) this.#fail(new ProxyError('request_deadline'));
    else this.#send(outgoing);
  }

  #send(outgoing: Outgoing): void {
    this.#outgoing = outgoing;
    this.#attempt(outgoing, this.#target as RouteTarget);
  }

  #attempt(outgoing: Outgoing, { route, upstream }: RouteTarget): void {
    const nowMs = this.#isStarting ? this.#exchange.startMs : this.#context.nowMs();
    const endpoint = upstream.pick(nowMs, this.#tried);
    if (endpoint === null) {
      this.#fail(new ProxyError('no_endpoint'));
      return;
    }
    this.#endpoint = endpoint;
    endpoint.requestsInFlight++;
    this.#sentMs = nowMs;
    this.#active = endpoint.transport.send(
      {
        method: outgoing.method,
        target: outgoing.target,
        authority: outgoing.authority === '' ? endpoint.authority : outgoing.authority,
        headers:
          this.#call === null ? outgoing.headers : withTimeout(fieldList(outgoing.headers), this.#deadlineMs - nowMs),
        added: outgoing.added,
        body: outgoing.body,
        upgrade: outgoing.upgrade,
        timeouts: route.settings.timeouts,
      },
      this,
    );
  }

  informed(status: number, headers: HeaderList): void {
    if (this.#call === null) this.#exchange.inform(status, headers);
  }

  replied(status: number, headers: MessageFields, body: BodySource): void {
    if (this.#call === null) {
      const nowMs = this.#context.nowMs();
      this.#judge(status >= 500, nowMs);
      this.#respond(status, headers, body, nowMs);
      return;
    }
    releaseBody((this.#outgoing as Outgoing).body);
    this.#call.replied(status, fieldList(headers), body);
  }

  /** What the transcoder makes of the service's reply. */
  answered({ status, headers, body, grpcCode: code }: Answer): void {
    const nowMs = this.#context.nowMs();
    if (code !== null) this.ended(code, nowMs);
    this.#respond(status, headers, body, nowMs);
  }

  /** The reply to a gRPC caller; how the call ends is known later. */
  passed(status: number, headers: HeaderList, body: BodySource): void {
    this.#respond(status, headers, body);
  }

  /** A service that heeds the caller's time limit is not to blame for it. */
  ended(code: number, nowMs = this.#context.nowMs()): void {
    this.#grpcCode = code;
    this.#judge(isServiceFault(code) && !(code === grpcCode.deadlineExceeded && this.#timeIsUp), nowMs);
  }

  broken(error: ProxyError): void {
    this.#fail(this.#isEndOfTime(error) ? new ProxyError('request_deadline', error) : error);
  }

  opened(headers: HeaderList, tunnel: Tunnel): void {
    this.#exchange.upgrade(101, headers, tunnel);
  }

  hungUp(): void {
    this.#stop(new ProxyError('client_closed'));
  }

  upgraded(status: number, headers: HeaderList, tunnel: Tunnel): void {
    this.#judge(false);
    this.#clearDeadline();
    this.#exchange.upgrade(status, headers, tunnel);
  }

  /** The attempt brought no answer: try another endpoint where that cannot do the work twice, else answer the error. */
  failed(error: ProxyError): void {
    const { route, upstream } = this.#target as RouteTarget;
    const endpoint = this.#endpoint as Endpoint;
    const outgoing = this.#outgoing as Outgoing;
    this.#active = null;
    endpoint.requestsInFlight--;
    this.#endpoint = null;
    if (this.#isEndOfTime(error)) {
      this.#fail(new ProxyError('request_deadline', error));
      return;
    }
    judgeFailure(endpoint, upstream.endpoints, error, this.#context.nowMs());
    this.#tried = [...this.#tried, endpoint];
    const { maxAttempts, budgetPercent, idempotent } = route.settings.retries;
    const { method } = this.#exchange.head;
    const attempt = { error, method, idempotent, attempts: this.#tried.length, maxAttempts };
    const replayable = isReplayable(outgoing.body);
    const may = mayRetry({ ...attempt, replayable });
    if (!may || (needsBudget(error) && !this.#takeBudget(upstream.requestsInFlight, budgetPercent))) {
      this.#fail(error);
      return;
    }
    route.metrics.retries++;
    this.#attempt(outgoing, this.#target as RouteTarget);
  }

  #takeBudget(requestsInFlight: number, budgetPercent: number): boolean {
    this.#retrying ||= (this.#target as RouteTarget).upstream.retryBudget.take(requestsInFlight, budgetPercent);
    return this.#retrying;
  }

  /** A stream may be idle for long, and a client that goes away ends no more than its side of the connection (HD10). */
  get endsWithClient(): boolean {
    return this.#call instanceof TranscodedExchange;
  }

  /** The client is gone: free what works for it. */
  aborted(error: ProxyError): void {
    this.#stop(error);
  }

  finished(summary: ExchangeSummary): void {
    if (summary.error !== null) this.#context.metrics.error(summary.error.kind);
    this.#clearDeadline();
    if (this.#endpoint !== null) this.#endpoint.requestsInFlight--;
    if (this.#target === null) return;
    const { route, upstream } = this.#target;
    upstream.requestsInFlight--;
    if (this.#retrying) upstream.retryBudget.giveBack();
    route.metrics.record(summary);
    if (this.#call !== null) route.metrics.recordCall(this.#grpcCode);
  }

  /** After the answer's head has gone out this can only break the connection off; `exchange.fail` knows. */
  #fail(error: ProxyError): void {
    this.#grpcCode = error.grpcCode;
    const told = this.#call?.fail(error) === true;
    this.#stop(error);
    if (told) this.#context.metrics.error(error.kind);
    else this.#exchange.fail(this.#call?.answerFor(error) ?? error);
  }

  #stop(error: ProxyError): void {
    this.#call?.cancel(error);
    if (this.#outgoing !== null) releaseBody(this.#outgoing.body);
    this.#active?.cancel();
    this.#active = null;
  }

  #startDeadline(ms: number): void {
    if (ms <= 0) return;
    const nowMs = this.#isStarting ? this.#exchange.startMs : this.#context.nowMs();
    if (nowMs + ms >= this.#deadlineMs) return;
    this.#deadlineMs = nowMs + ms;
    this.#deadline ??= new WheelTimer(() => this.#fail(new ProxyError('request_deadline')));
    this.#context.timers.set(this.#deadline, ms);
  }

  get #timeIsUp(): boolean {
    return this.#context.nowMs() > this.#deadlineMs - deadlineSlackMs;
  }

  /** The service has been told the time limit, and may give the call up (as grpc-go does) before our own clock rings. */
  #isEndOfTime({ kind }: ProxyError): boolean {
    return kind === 'upstream_reset' && this.#call !== null && this.#timeIsUp;
  }

  #clearDeadline(): void {
    if (this.#deadline !== null) this.#context.timers.remove(this.#deadline);
    this.#deadline = null;
  }

  #judge(failed: boolean, nowMs = this.#context.nowMs()): void {
    const { upstream } = this.#target as RouteTarget;
    judgeAnswer(this.#endpoint as Endpoint, upstream.endpoints, failed, nowMs);
  }

  #respond(status: number, headers: MessageFields, body: BodySource, nowMs = this.#context.nowMs()): void {
    const latency = this.#context.latencyHeaders ? this.#latency(nowMs) : null;
    this.#exchange.respond(status, headers, body, this.#blocks.replies.blockFor(headers, latency));
  }

  #latency(nowMs: number): Latency {
    const upstreamMs = Math.round(nowMs - this.#sentMs);
    return { proxyMs: Math.max(0, Math.round(nowMs - this.#exchange.startMs) - upstreamMs), upstreamMs };
  }
}
