import { ProxyError } from './errors.js';
import type { RequestHead } from './exchange.js';
import {
  FieldBlock,
  FieldLines,
  headerValue,
  isHeader,
  removeHeader,
  type HeaderList,
  type MessageFields,
} from './headers.js';

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
  /** What was added to the last request of the same client: those of a connection are nearly all to one authority. */
  added?: AddedBefore;
}

interface AddedBefore {
  readonly authority: string;
  readonly version: RequestHead['version'];
  readonly block: FieldBlock;
}

/** What goes upstream: the client's own fields, and what is added behind them. */
export interface ShapedFields<Fields = HeaderList> {
  readonly headers: Fields;
  readonly added: FieldBlock;
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
 * The fields to send upstream: the client's (hop-by-hop ones already off) and an id; added to them X-Forwarded-*, appended or set,
 * and Via. `fields` is not changed. A name that is set takes the place of the client's field lines of that name.
 */
export function upstreamFields(
  fields: HeaderList,
  head: RequestHead,
  facts: ClientFacts,
  id: string,
  strippedPrefix: string,
): ShapedFields {
  const headers: HeaderList = [];
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
    headers.push(name, value);
  }
  if (strippedPrefix !== '' && strippedPrefix !== '/') {
    pushUnlessTrusted(headers, headers, facts, 'X-Forwarded-Prefix', 'x-forwarded-prefix', strippedPrefix);
  }
  if (!hasRequestId) headers.push('X-Request-Id', id);
  return { headers, added: addedFields(headers, head, facts, forwardedFor, via) };
}

/** The same of lines, among which there is nothing that another field takes the place of. */
export function upstreamLines(
  lines: FieldLines,
  head: RequestHead,
  facts: ClientFacts,
  id: string,
  strippedPrefix: string,
): ShapedFields<FieldLines> {
  const hasPrefix = strippedPrefix !== '' && strippedPrefix !== '/';
  const headers = hasPrefix ? lines.plus('X-Forwarded-Prefix', strippedPrefix) : lines;
  return { headers: headers.plus('X-Request-Id', id), added: addedFields([], head, facts, '', '') };
}

function addedFields(
  sent: HeaderList,
  head: RequestHead,
  facts: ClientFacts,
  forwardedFor: string,
  via: string,
): FieldBlock {
  const { authority, version } = head;
  const isUsual = forwardedFor === '' && via === '' && !facts.trusted;
  const before = facts.added;
  if (isUsual && before !== undefined && before.authority === authority && before.version === version)
    return before.block;
  const peer = facts.peerAddress;
  const fields = [
    'X-Forwarded-For',
    forwardedFor === '' ? peer : `${forwardedFor}, ${peer}`,
    'X-Real-IP',
    facts.clientAddress,
  ];
  pushUnlessTrusted(fields, sent, facts, 'X-Forwarded-Proto', 'x-forwarded-proto', facts.secure ? 'https' : 'http');
  pushUnlessTrusted(fields, sent, facts, 'X-Forwarded-Host', 'x-forwarded-host', hostOnly(authority));
  pushUnlessTrusted(fields, sent, facts, 'X-Forwarded-Port', 'x-forwarded-port', String(facts.localPort));
  const hop = viaRequest[version];
  fields.push('Via', via === '' ? hop : `${via}, ${hop}`);
  const block = new FieldBlock(fields);
  if (isUsual) facts.added = { authority, version, block };
  return block;
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

function pushUnlessTrusted(
  out: HeaderList,
  sent: HeaderList,
  facts: ClientFacts,
  name: string,
  lowerName: string,
  value: string,
): void {
  if (value === '' || (facts.trusted && headerValue(sent, lowerName) !== undefined)) return;
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

/** What the gateway says of itself in replies, as a block for each pair of latencies; the usual ones are made once. */
export class ReplyBlocks {
  readonly #plain = replyBlock('1.1 sluice', null);
  readonly #usual: (FieldBlock | undefined)[] = [];

  /** For a reply with these fields, from which Via is taken to be joined, and the gateway's own mark, which is no service's. */
  blockFor(fields: MessageFields, latency: Latency | null): FieldBlock {
    const via = fields instanceof FieldLines ? null : takeOwn(fields);
    if (via !== null) return replyBlock(`${via}, 1.1 sluice`, latency);
    if (latency === null) return this.#plain;
    const { proxyMs, upstreamMs } = latency;
    if (proxyMs >= usualMs || upstreamMs >= usualMs) return replyBlock('1.1 sluice', latency);
    const at = proxyMs * usualMs + upstreamMs;
    return (this.#usual[at] ??= replyBlock('1.1 sluice', latency));
  }
}

/** Latencies below this are usual. */
const usualMs = 64;

function replyBlock(via: string, latency: Latency | null): FieldBlock {
  const fields = ['Via', via];
  if (latency === null) return new FieldBlock(fields);
  const { proxyMs, upstreamMs } = latency;
  fields.push('X-Sluice-Proxy-Latency', String(proxyMs), 'X-Sluice-Upstream-Latency', String(upstreamMs));
  return new FieldBlock(fields);
}

/** Takes the gateway's own out of `fields`, and returns what Via there was. */
function takeOwn(fields: HeaderList): string | null {
  removeHeader(fields, 'x-sluice-error');
  return takeVia(fields);
}

/** Takes the Via field lines out of `fields`: their values as one list, or null. */
function takeVia(fields: HeaderList): string | null {
  let via: string | null = null;
  for (let i = fields.length - 2; i >= 0; i -= 2) {
    if (!isHeader(fields[i] as string, 'via')) continue;
    via = via === null ? (fields[i + 1] as string) : `${fields[i + 1] as string}, ${via}`;
    fields.splice(i, 2);
  }
  return via;
}
