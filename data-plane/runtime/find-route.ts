import type { RequestHead } from '../exchange.js';
import { headerValue } from '../headers.js';
import type { Match, MethodNotAllowed, NoMatch } from '../router/router.js';
import { isForm, type Binding } from '../transcoder/transcoder.js';
import { hasToken } from '../upstream/hop-by-hop.js';
import type { RouteTarget } from './compile.js';

/** OPTIONS of a path that has other methods: the answer is what they are. */
export interface AllowedMethods {
  readonly kind: 'allowed';
  readonly methods: readonly string[];
}

/** Asks the router for the same request with another method. */
export type Lookup = (method: string) => Match<RouteTarget> | NoMatch;

/**
 * The route of a request that `direct` does not decide: transcoded routes answer HEAD by their GET (RT10), OPTIONS with their
 * methods (RT11), WebSockets by any streaming method (ST12), and forms as their profile has it (BD14, HD11). A route that has the
 * method itself comes first, except before an override, which only a transcoded route obeys.
 */
export function findRoute(
  head: RequestHead,
  direct: Match<RouteTarget> | NoMatch,
  lookup: Lookup,
): Match<RouteTarget> | NoMatch | AllowedMethods {
  if (direct.kind === 'match') return byOverride(head, lookup) ?? direct;
  return direct.kind === 'method_not_allowed' ? (otherMethod(head, direct, lookup) ?? direct) : direct;
}

/** Whether the answer of the router is the last word; it nearly always is. */
export function isFinal({ method }: RequestHead, direct: Match<RouteTarget> | NoMatch): boolean {
  if (direct.kind === 'match') return method !== 'POST' || direct.target.binding?.habits.methodOverride !== true;
  return direct.kind !== 'method_not_allowed';
}

function byOverride(head: RequestHead, lookup: Lookup): Match<RouteTarget> | null {
  if (!isForm(headerValue(head.headers, 'content-type') ?? '')) return null;
  const method = headerValue(head.headers, 'x-http-method-override')?.toUpperCase();
  return method === undefined || method === '' ? null : transcoded(method, lookup, (it) => it.habits.methodOverride);
}

function otherMethod(
  head: RequestHead,
  { allow }: MethodNotAllowed,
  lookup: Lookup,
): Match<RouteTarget> | NoMatch | AllowedMethods | null {
  switch (head.method) {
    case 'POST':
      return byOverride(head, lookup) ?? formAsGet(head, lookup) ?? transcodedMiss(allow, lookup);
    case 'HEAD':
      return transcoded('GET', lookup, (it) => it.habits.headAsGet) ?? transcodedMiss(allow, lookup);
    case 'OPTIONS': {
      const miss = transcodedMiss(allow, lookup);
      return miss === null ? null : { kind: 'allowed', methods: miss.allow };
    }
    case 'GET':
      return webSocket(head, allow, lookup) ?? transcodedMiss(allow, lookup);
    default:
      return transcodedMiss(allow, lookup);
  }
}

function formAsGet(head: RequestHead, lookup: Lookup): Match<RouteTarget> | null {
  if (!isForm(headerValue(head.headers, 'content-type') ?? '')) return null;
  return transcoded('GET', lookup, (it) => it.habits.formAsGet);
}

function webSocket(head: RequestHead, allow: readonly string[], lookup: Lookup): Match<RouteTarget> | null {
  if (!wantsWebSocket(head)) return null;
  for (const method of allow) {
    const match = transcoded(method, lookup, takesWebSocket);
    if (match !== null) return match;
  }
  return null;
}

/** The methods of the path, with those that transcoding adds; null when no route of the path is transcoded. */
function transcodedMiss(allow: readonly string[], lookup: Lookup): MethodNotAllowed | null {
  const all = new Set(allow);
  let isTranscoded = false;
  for (const method of allow) {
    const match = transcoded(method, lookup, () => true);
    if (match === null) continue;
    isTranscoded = true;
    if (method === 'GET' && match.target.binding?.habits.headAsGet === true) all.add('HEAD');
  }
  return isTranscoded ? { kind: 'method_not_allowed', allow: [...all.add('OPTIONS')].toSorted() } : null;
}

function transcoded(method: string, lookup: Lookup, takes: (binding: Binding) => boolean): Match<RouteTarget> | null {
  const match = lookup(method);
  return match.kind === 'match' && match.target.binding !== null && takes(match.target.binding) ? match : null;
}

/** Whether a method is there as a WebSocket as well. */
export function takesWebSocket({ method, habits }: Binding): boolean {
  return habits.webSocket && (method.clientStreaming || method.serverStreaming);
}

/** RFC 6455 section 4.2.1; whether the rest of the handshake is as it should be is for who answers it. */
export function wantsWebSocket({ method, version, headers }: RequestHead): boolean {
  if (method !== 'GET' || version === '1.0') return false;
  const upgrade = headerValue(headers, 'upgrade');
  if (upgrade === undefined || !hasToken(upgrade, 'websocket')) return false;
  return hasToken(headerValue(headers, 'connection') ?? '', 'upgrade');
}
