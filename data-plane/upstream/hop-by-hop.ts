import { isHeader, trimBlanks, type HeaderList } from '../headers.js';

/**
 * A copy of `headers` without what belongs to one connection only (RFC 9110 section 7.6.1): Connection and the fields it
 * names, Keep-Alive, Proxy-*, TE (save `trailers`), Upgrade, HTTP2-Settings and Expect (the listener answers it), and
 * without what each transport writes itself: Transfer-Encoding, Content-Length and Host. Used in both directions, so that
 * what reaches a `Call` or `replied` fulfils their contract. Order and case of the rest are kept.
 */
export function stripHopByHop(headers: readonly string[]): HeaderList {
  return takeHopByHop([...headers]);
}

/** The same in place: for a list that nobody else has. */
export function takeHopByHop(headers: HeaderList): HeaderList {
  let named: string[] | null = null;
  let kept = 0;
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    let value = headers[i + 1] as string;
    if (isHopByHop(name)) {
      if (isHeader(name, 'connection')) named = namedBy(value, named);
      if (name.length !== 2 || !hasToken(value, 'trailers')) continue;
      value = 'trailers';
    }
    headers[kept] = name;
    headers[kept + 1] = value;
    kept += 2;
  }
  while (headers.length > kept) headers.pop();
  return named === null ? headers : without(headers, named);
}

/** Whether a comma-separated field value holds `token` (lower case), ignoring case. Parameters are not understood. */
export function hasToken(value: string, token: string): boolean {
  if (value.length === token.length) return value === token || value.toLowerCase() === token;
  if (value.length < token.length) return false;
  for (const part of value.split(',')) {
    if (trimBlanks(part).toLowerCase() === token) return true;
  }
  return false;
}

/** The length of a name tells nearly every other field apart without looking at its letters. */
function isHopByHop(name: string): boolean {
  switch (name.length) {
    case 2:
      return isHeader(name, 'te');
    case 4:
      return isHeader(name, 'host');
    case 6:
      return isHeader(name, 'expect');
    case 7:
      return isHeader(name, 'upgrade');
    case 10:
      return isHeader(name, 'connection') || isHeader(name, 'keep-alive');
    case 14:
      return isHeader(name, 'content-length') || isHeader(name, 'http2-settings');
    case 16:
      return isHeader(name, 'proxy-connection');
    case 17:
      return isHeader(name, 'transfer-encoding');
    case 18:
      return isHeader(name, 'proxy-authenticate');
    case 19:
      return isHeader(name, 'proxy-authorization');
    case 25:
      return isHeader(name, 'proxy-authentication-info');
    default:
      return false;
  }
}

/** Adds the options of a Connection field, in lower case, unless it is one of the usual ones that name no field. */
function namedBy(value: string, named: string[] | null): string[] | null {
  if (isPlainOption(value)) return named;
  const options = value.split(',').map((part) => trimBlanks(part).toLowerCase());
  return named === null ? options : [...named, ...options];
}

function without(headers: HeaderList, names: readonly string[]): HeaderList {
  return headers.filter(
    (_, i) => !names.includes((headers[i & ~1] as string).toLowerCase()) || isHeader(headers[i & ~1] as string, 'te'),
  );
}

function isPlainOption(value: string): boolean {
  return (
    value === 'keep-alive' || value === 'close' || value === 'Keep-Alive' || value === 'Upgrade' || value === 'upgrade'
  );
}
