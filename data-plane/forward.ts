import { BufferedBody, type BodySource } from './body.js';
import type { Exchange, RequestHead } from './exchange.js';
import { fieldList, headerValue, headerValues, removeHeader, type MessageFields } from './headers.js';
import { ReplayBody } from './replay-body.js';
import type { Match } from './router/router.js';
import type { RouteTarget } from './runtime/runtime.js';
import { upstreamFields, upstreamLines, upstreamTarget, type ClientFacts, type ShapedFields } from './shape.js';
import { TrackedBody } from './tracked-body.js';
import { hasToken, stripHopByHop } from './upstream/hop-by-hop.js';
import type { Call } from './upstream/transport.js';

/** A request as it will be sent, whichever endpoint gets it; an `authority` of '' takes the endpoint's. */
export type Outgoing = Omit<Call, 'timeouts'>;

/** What of an exchange is forwarded. */
export type ForwardedCall = Pick<Exchange, 'head' | 'id' | 'body'>;

/** What a plain route sends: the client's request, with the path and the fields that the route's rules make of it. */
export function forwardRequest(exchange: Exchange, match: Match<RouteTarget>, facts: ClientFacts): Outgoing {
  const { body } = exchange;
  const upgrade = body.length === 0 ? wantedUpgrade(exchange.head) : null;
  const sent = body instanceof BufferedBody || body.length === 0 ? body : new TrackedBody(body);
  return forward(exchange, match, facts, sent, upgrade);
}

/** The same of a gRPC call, without grpc-timeout, which each attempt adds. What it has sent can be sent again, up to a limit. */
export function forwardCall(exchange: ForwardedCall, match: Match<RouteTarget>, facts: ClientFacts): Outgoing {
  const { body } = exchange;
  const outgoing = forward(exchange, match, facts, body.length === 0 ? body : new ReplayBody(body), null);
  const headers = fieldList(outgoing.headers);
  removeHeader(headers, 'grpc-timeout');
  if (headerValue(headers, 'te') === undefined) headers.push('te', 'trailers');
  return { ...outgoing, headers };
}

function forward(
  { head, id }: ForwardedCall,
  match: Match<RouteTarget>,
  facts: ClientFacts,
  body: BodySource,
  upgrade: string | null,
): Outgoing {
  const { route } = match.target;
  const matchedText = route.settings.stripPath ? match.matchedText : '';
  const rewritten = route.rewrite === null ? null : route.rewrite.expand(match.captures());
  const prefix = rewritten === null ? matchedText : '';
  return {
    method: head.method,
    target: upstreamTarget(head.target, matchedText, rewritten, route.pathRule),
    authority: route.settings.preserveHost ? head.authority : route.settings.service.host,
    ...shapedFields(head, facts, id, prefix),
    body,
    upgrade,
  };
}

function shapedFields(head: RequestHead, facts: ClientFacts, id: string, prefix: string): ShapedFields<MessageFields> {
  const lines = head.lines ?? null;
  return lines === null
    ? upstreamFields(stripHopByHop(head.headers), head, facts, id, prefix)
    : upstreamLines(lines, head, facts, id, prefix);
}

/**
 * The protocol that a client asks to switch to (RFC 9110 section 7.8; over HTTP/2 only by extended CONNECT), or null. The caller
 * passes a request with a body on without the wish: its body comes before the switch, and a server may always ignore the wish. A
 * wish for h2c is not passed on: what followed would be requests that no route has been asked about. Lines have no Upgrade.
 */
function wantedUpgrade(head: RequestHead): string | null {
  if (head.version === '1.0' || (head.lines ?? null) !== null) return null;
  const { headers } = head;
  if (headerValue(headers, 'upgrade') === undefined) return null;
  // Lists have no empty members (RFC 9110 section 5.6.1.1), and a wish for no protocol is none.
  const lines = headerValues(headers, 'upgrade').filter((value) => /[^ \t,]/.test(value));
  const upgrade = lines.join(', ');
  if (upgrade === '' || hasToken(upgrade, 'h2c')) return null;
  return hasToken(headerValues(headers, 'connection').join(), 'upgrade') ? upgrade : null;
}

/** Whether the body can be sent once more: it is in memory, or nobody has begun to read it. */
export function isReplayable(body: BodySource): boolean {
  if (body instanceof ReplayBody) return body.replayable;
  return body instanceof TrackedBody ? !body.started : true;
}

/** The body will not be sent once more. */
export function releaseBody(body: BodySource): void {
  if (body instanceof ReplayBody) body.release();
}
