import { BufferedBody, type BodySource } from './body.js';
import type { Exchange, RequestHead } from './exchange.js';
import { headerValue } from './headers.js';
import type { Match } from './router/router.js';
import type { RouteTarget } from './runtime/runtime.js';
import { upstreamHeaders, upstreamTarget, type ClientFacts } from './shape.js';
import { TrackedBody } from './tracked-body.js';
import { hasToken, stripHopByHop } from './upstream/hop-by-hop.js';
import type { Call } from './upstream/transport.js';

/** A request as it will be sent, whichever endpoint gets it; an `authority` of '' takes the endpoint's. */
export type Outgoing = Omit<Call, 'timeouts'>;

/** What a plain route sends: the client's request, with the path and the fields that the route's rules make of it. */
export function forwardRequest(exchange: Exchange, match: Match<RouteTarget>, facts: ClientFacts): Outgoing {
  const { head, body } = exchange;
  const { route } = match.target;
  const upgrade = body.length === 0 ? wantedUpgrade(head) : null;
  const matchedText = route.settings.stripPath ? match.matchedText : '';
  const rewritten = route.rewrite === null ? null : route.rewrite.expand(match.captures());
  return {
    method: head.method,
    target: upstreamTarget(head.target, matchedText, rewritten, route.pathRule),
    authority: route.settings.preserveHost ? head.authority : route.settings.service.host,
    headers: upstreamHeaders(
      stripHopByHop(head.headers),
      head,
      facts,
      exchange.id,
      rewritten === null ? matchedText : '',
    ),
    body: body instanceof BufferedBody || body.length === 0 ? body : new TrackedBody(body),
    upgrade,
  };
}

/**
 * The protocol that an HTTP/1.1 client asks to switch to (RFC 9110 section 7.8), or null. The caller passes a request with a body
 * on without the wish: its body comes before the switch, and a server may always ignore the wish. A wish for h2c is not passed
 * on: what followed would be requests that no route has been asked about.
 */
function wantedUpgrade({ version, headers }: RequestHead): string | null {
  if (version !== '1.1') return null;
  const upgrade = headerValue(headers, 'upgrade');
  if (upgrade === undefined || upgrade === '' || hasToken(upgrade, 'h2c')) return null;
  if (!hasToken(headerValue(headers, 'connection') ?? '', 'upgrade')) return null;
  return upgrade;
}

/** Whether the body can be sent once more: it is in memory, or nobody has begun to read it. */
export function isReplayable(body: BodySource): boolean {
  return body instanceof TrackedBody ? !body.started : true;
}
