import { BufferedBody, type BodySource } from '../body.js';
import { ClientTrust } from '../client-trust.js';
import { errorTable, ProxyError } from '../errors.js';
import type { Exchange, RequestHead } from '../exchange.js';
import { isGrpcType } from '../grpc/grpc.js';
import { fieldList, headerValue, type HeaderList } from '../headers.js';
import { Metrics } from '../ops/ops.js';
import { isNativeCall } from '../passed-call.js';
import { Proxy } from '../proxy.js';
import type { Explanation, Loser, Match } from '../router/router.js';
import type { RouteTarget } from '../runtime/compile.js';
import { Runtime } from '../runtime/runtime.js';
import type { Binding } from '../transcoder/transcoder.js';
import type { Call } from '../upstream/transport.js';
import { TimerWheel } from '../wheel.js';
import { messagesOf, noMessages, type ExplainedMessage } from './messages.js';
import { someEndpoint, type Review } from './review.js';

export interface ExplainRequest {
  readonly method: string;
  /** Path and query. */
  readonly target: string;
  readonly authority: string;
  readonly headers: HeaderList;
  readonly body: Uint8Array;
  readonly clientAddress: string;
  /** The port that the client connected to. */
  readonly port: number;
  /** Null on a plain connection; the TLS server name, or ''. */
  readonly tlsServerName: string | null;
  /** How many of the routes that did not win are told of. */
  readonly limit: number;
}

/** What a node would do with a request, and why. */
export interface Explained {
  /** As they were compared. */
  readonly host: string;
  readonly path: string;
  /** Null when no route takes it. */
  readonly winner: Match<RouteTarget> | null;
  /** The method that the winner was found by, where that is not the request's own, as GET for a HEAD. */
  readonly matchedAs: string;
  readonly losers: readonly Loser<RouteTarget>[];
  readonly omitted: number;
  /** What the gateway answers itself; null when the answer is the service's. A stream may be refused after its first messages. */
  readonly answer: ExplainedAnswer | null;
  readonly sent: ExplainedCall | null;
  /** It becomes a gRPC call by this; null when it is passed on as it is. */
  readonly binding: Binding | null;
  /** Of a transcoded call; those of a stream one after the other. */
  readonly messages: readonly ExplainedMessage[];
}

export interface ExplainedAnswer {
  readonly status: number;
  /** As in X-Sluice-Error; '' for an answer that is no error. */
  readonly kind: string;
  readonly message: string;
  readonly headers: HeaderList;
  readonly violations: readonly { readonly field: string; readonly description: string }[];
}

export interface ExplainedCall {
  readonly method: string;
  readonly target: string;
  /** '' stands for the address of the endpoint. */
  readonly authority: string;
  readonly headers: HeaderList;
  readonly upgrade: string | null;
}

/** How long a body may take to be inflated. */
const answerMs = 2_000;

/**
 * Puts a request through the request path of a node, with transports that send nothing. What comes out is thereby what a node
 * would do, save for what only a node knows: the health of endpoints, its trusted addresses, its load.
 */
export async function explainRequest(review: Review, request: ExplainRequest): Promise<Explained> {
  const head: RequestHead = {
    method: request.method,
    target: request.target,
    authority: request.authority,
    // gRPC calls come over HTTP/2.
    version: isGrpcType(headerValue(request.headers, 'content-type') ?? '') ? '2' : '1.1',
    headers: request.headers,
  };
  const outcome = await run(review, request, head);
  const runtime = new Runtime(review.config);
  const winner = winnerOf(
    runtime,
    exchangeOf(head, request, () => undefined),
  );
  const matchedAs = winner === null ? '' : methodOf(winner, request.method);
  const explanation = explainMatch(review, request, matchedAs);
  const { call } = outcome;
  const routed = winner?.target.binding ?? null;
  const binding = routed !== null && isNativeCall(head, routed) ? null : routed;
  const { messages, fault } = call === null || binding === null ? noMessages : await messagesOf(call.body, binding);
  return {
    host: explanation.host,
    path: explanation.path ?? pathOf(request.target),
    winner,
    matchedAs: matchedAs === request.method ? '' : matchedAs,
    losers: explanation.losers,
    omitted: explanation.omitted,
    answer: fault === null ? outcome.answer : answerOf(fault),
    sent: call === null ? null : withoutEndpoint(call),
    binding,
    messages,
  };
}

interface Outcome {
  readonly answer: ExplainedAnswer | null;
  readonly call: Call | null;
}

/** The call or the answer, whichever comes: neither does at once where a body has to be inflated. */
async function run({ config, sent }: Review, request: ExplainRequest, head: RequestHead): Promise<Outcome> {
  const timers = new TimerWheel();
  const proxy = new Proxy({
    current: () => new Runtime(config),
    trust: new ClientTrust([]),
    metrics: new Metrics(),
    timers,
    latencyHeaders: false,
    tlsPort: () => null,
    nowMs: () => 0,
  });
  try {
    return await new Promise<Outcome>((resolve) => {
      const late = setTimeout(() => resolve({ answer: answerOf(new ProxyError('internal')), call: null }), answerMs);
      const settle = (outcome: Outcome): void => {
        clearTimeout(late);
        resolve(outcome);
      };
      const exchange = exchangeOf(head, request, (answer) => settle({ answer, call: null }));
      sent.listen(proxy.handle(exchange), (call) => settle({ answer: null, call }));
    });
  } finally {
    timers.close();
  }
}

function exchangeOf(head: RequestHead, request: ExplainRequest, answered: (answer: ExplainedAnswer) => void): Exchange {
  const { clientAddress, port: localPort, tlsServerName, body } = request;
  return {
    id: 'explain',
    head,
    body: new BufferedBody(body),
    peer: { address: clientAddress, port: 0, localPort, tlsServerName },
    startMs: 0,
    inform: () => undefined,
    respond: (status: number, headers: HeaderList, _body: BodySource) =>
      answered({ status, kind: '', message: '', headers, violations: [] }),
    upgrade: (status, headers) => answered({ status, kind: '', message: '', headers, violations: [] }),
    fail: (error) => answered(answerOf(error)),
  };
}

function answerOf(error: ProxyError): ExplainedAnswer {
  const { detail, kind, status } = error;
  return {
    status,
    kind,
    message: detail.message ?? errorTable[kind].message,
    headers: [...(detail.headers ?? [])],
    violations: detail.violations ?? [],
  };
}

function winnerOf(runtime: Runtime, exchange: Exchange): Match<RouteTarget> | null {
  try {
    const match = runtime.match(exchange);
    return match.kind === 'match' ? match : null;
  } catch (error) {
    if (error instanceof ProxyError) return null;
    throw error;
  }
}

/** The method by which the router finds this match. */
function methodOf({ entry }: Match<RouteTarget>, method: string): string {
  return entry.methods.length === 0 || entry.methods.includes(method) ? method : (entry.methods[0] as string);
}

function explainMatch({ config }: Review, request: ExplainRequest, matchedAs: string): Explanation<RouteTarget> {
  const { method, target, authority: host, headers, tlsServerName: serverName, limit } = request;
  const asked = { method: matchedAs === '' ? method : matchedAs, path: pathOf(target), host, headers, serverName };
  return config.router.explain(asked, limit);
}

function pathOf(target: string): string {
  const queryAt = target.indexOf('?');
  return queryAt < 0 ? target : target.slice(0, queryAt);
}

function withoutEndpoint({ method, target, authority, headers, added, upgrade }: Call): ExplainedCall {
  return {
    method,
    target,
    authority: authority === someEndpoint.address ? '' : authority,
    headers: [...fieldList(headers), ...(added?.fields ?? [])],
    upgrade,
  };
}
