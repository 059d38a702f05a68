import { ProxyError } from './errors.js';
import type { RequestHead } from './exchange.js';
import { headerValue, isHeader, type HeaderList } from './headers.js';

/** The name by which the gateway signs Via, and with which its other fields begin. */
const viaRequest: Record<RequestHead['version'], string> = {
  '1.0': '1.0 sluice',
  '1.1': '1.1 sluice',
  '2': '2 sluice',
};

/** Who the client is, as far as the peer and those whom it may speak for say. */
export interface ClientFacts {
  /** Whose X-Forwarded-* are believed: the peer's when it is trusted. */
  readonly trusted: boolean;
  /** The peer, or the nearest untrusted address of a trusted peer's X-Forwarded-For. */
  readonly clientAddress: string;
  readonly peerAddress: string;
  readonly secure: boolean;
  /** Port that the client connected to here. */
  readonly localPort: number;
}

/** What the matched route makes of the path. */
export interface PathRule {
  readonly stripPath: boolean;
  /** The service's own path without a trailing slash; '' when it has none. */
  readonly servicePath: string;
}

/**
 * Path and query to send: the matched text is taken off when the route strips, and the service's path put in front with exactly
 * one slash between. Where nothing is left, only a slash that the client wrote is kept (`/api` + `/shop` → `/api`). `rewritten`
 * replaces the path before the service's path goes in front. Throws bad_path when stripping uncovers a dot segment.
 */
export function upstreamTarget(target: string, matchedText: string, rewritten: string | null, rule: PathRule): string {
  const queryAt = target.indexOf('?');
  const path = queryAt < 0 ? target : target.slice(0, queryAt);
  const query = queryAt < 0 ? '' : target.slice(queryAt);
  if (rewritten !== null) return joinPaths(rule.servicePath, rewritten) + query;
  if (!rule.stripPath || matchedText === '') return joinPaths(rule.servicePath, path) + query;
  const rest = path.slice(matchedText.length);
  if (hasDotSegment(rest)) throw new ProxyError('bad_path');
  return joinStripped(rule.servicePath, rest, matchedText.endsWith('/')) + query;
}

function joinPaths(servicePath: string, path: string): string {
  if (servicePath === '') return path.startsWith('/') ? path : `/${path}`;
  return path.startsWith('/') ? servicePath + path : `${servicePath}/${path}`;
}

function joinStripped(servicePath: string, rest: string, matchEndedInSlash: boolean): string {
  if (rest !== '') return joinPaths(servicePath, rest);
  return servicePath === '' || matchEndedInSlash ? `${servicePath}/` : servicePath;
}

/** `..`, `.`, with dots as they are or as `%2e`, as a whole segment of a path that begins anywhere in one. */
function hasDotSegment(path: string): boolean {
  if (!path.includes('.') && !path.includes('%2')) return false;
  return path.split('/').some((segment) => /^(?:\.|%2e){1,2}$/i.test(segment));
}

/**
 * The fields to send upstream: the client's (hop-by-hop ones already off), X-Forwarded-* appended or set, Via, and an id.
 * `fields` is not changed. A name that is set takes the place of the client's field lines of that name.
 */
export function upstreamHeaders(
  fields: HeaderList,
  head: RequestHead,
  facts: ClientFacts,
  id: string,
  strippedPrefix: string,
): HeaderList {
  const out: HeaderList = [];
  let forwardedFor = '';
  let via = '';
  let hasRequestId = false;
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string;
    const value = fields[i + 1] as string;
    switch (forwardedField(name)) {
      case 'none':
        break;
      case 'for':
        forwardedFor = forwardedFor === '' ? value : `${forwardedFor}, ${value}`;
        continue;
      case 'via':
        via = via === '' ? value : `${via}, ${value}`;
        continue;
      case 'replaced':
        if (!facts.trusted) continue;
        break;
      case 'real-ip':
        continue;
      case 'request-id':
        hasRequestId = true;
        break;
    }
    out.push(name, value);
  }
  const peer = facts.peerAddress;
  out.push(
    'X-Forwarded-For',
    forwardedFor === '' ? peer : `${forwardedFor}, ${peer}`,
    'X-Real-IP',
    facts.clientAddress,
  );
  pushUnlessTrusted(out, facts, 'X-Forwarded-Proto', 'x-forwarded-proto', facts.secure ? 'https' : 'http');
  pushUnlessTrusted(out, facts, 'X-Forwarded-Host', 'x-forwarded-host', hostOnly(head.authority));
  pushUnlessTrusted(out, facts, 'X-Forwarded-Port', 'x-forwarded-port', String(facts.localPort));
  if (strippedPrefix !== '' && strippedPrefix !== '/') {
    pushUnlessTrusted(out, facts, 'X-Forwarded-Prefix', 'x-forwarded-prefix', strippedPrefix);
  }
  const hop = viaRequest[head.version];
  out.push('Via', via === '' ? hop : `${via}, ${hop}`);
  if (!hasRequestId) out.push('X-Request-Id', id);
  return out;
}

type ForwardedField = 'none' | 'for' | 'via' | 'replaced' | 'real-ip' | 'request-id';

/** Nearly every field is told apart by its first letter. */
function forwardedField(name: string): ForwardedField {
  const first = name.charCodeAt(0) | 0x20;
  if (first === 0x76 /* v */) return isHeader(name, 'via') ? 'via' : 'none';
  if (first !== 0x78 /* x */) return 'none';
  switch (name.toLowerCase()) {
    case 'x-forwarded-for':
      return 'for';
    case 'x-forwarded-proto':
    case 'x-forwarded-host':
    case 'x-forwarded-port':
    case 'x-forwarded-prefix':
      return 'replaced';
    case 'x-real-ip':
      return 'real-ip';
    case 'x-request-id':
      return 'request-id';
    default:
      return 'none';
  }
}

function pushUnlessTrusted(out: HeaderList, facts: ClientFacts, name: string, lowerName: string, value: string): void {
  if (value === '' || (facts.trusted && headerValue(out, lowerName) !== undefined)) return;
  out.push(name, value);
}

/** The host of an authority, without its port; an IPv6 address keeps its brackets. */
export function hostOnly(authority: string): string {
  const colon = authority.lastIndexOf(':');
  return colon < 0 || authority.endsWith(']') ? authority : authority.slice(0, colon);
}

export interface Latency {
  readonly proxyMs: number;
  readonly upstreamMs: number;
}

/** Adds what the gateway says of itself to a reply's fields, in place. */
export function addReplyFields(fields: HeaderList, latency: Latency | null): HeaderList {
  let via = '1.1 sluice';
  for (let i = fields.length - 2; i >= 0; i -= 2) {
    if (!isHeader(fields[i] as string, 'via')) continue;
    via = `${fields[i + 1] as string}, ${via}`;
    fields.splice(i, 2);
  }
  fields.push('Via', via);
  if (latency === null) return fields;
  fields.push(
    'X-Sluice-Proxy-Latency',
    String(latency.proxyMs),
    'X-Sluice-Upstream-Latency',
    String(latency.upstreamMs),
  );
  return fields;
}
