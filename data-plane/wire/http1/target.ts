import { malformed, Violation } from './violation.js';

export interface RequestTarget {
  readonly authority: string;
  /** Origin form, or `*`. */
  readonly target: string;
}

const hostAndPort = /^(?:(?!.*\.\.)[A-Za-z0-9._~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?$/;
/** What an authority may have and not every recipient takes in a request target: nginx refuses it there. */
const notInAbsoluteForm = /[_~!$&'()*+,;=%]/;
const absoluteForm = /^https?:\/\/([^/?#]*)(.*)$/i;

/**
 * Checks a request target against its method and Host (RFC 9112 section 3.2) and brings it to origin form. `host` is null when
 * there is none, which only HTTP/1.0 allows. An absolute form whose authority is not the Host is refused: two recipients could
 * take it for two different sites. `checkedHost` is one that has passed before.
 */
export function splitTarget(
  method: string,
  target: string,
  host: string | null,
  minor: 0 | 1,
  checkedHost: string | null = null,
): RequestTarget {
  if (host === null) {
    if (minor === 1) throw malformed('no Host');
  } else if (host !== checkedHost && !isAuthority(host)) {
    throw malformed('Host');
  }
  // A recipient takes what follows a CONNECT for a tunnel, and what follows a PRI for HTTP/2, whatever the target.
  if (method === 'CONNECT' || method === 'PRI') throw new Violation('not_implemented', method);
  if (target.charCodeAt(0) === 0x2f /* / */) return { authority: host ?? '', target };
  if (target === '*' && method === 'OPTIONS') return { authority: host ?? '', target };
  const absolute = absoluteForm.exec(target);
  if (absolute === null) throw malformed('form of the request target');
  const authority = absolute[1] as string;
  const rest = absolute[2] as string;
  if (!isAuthority(authority) || notInAbsoluteForm.test(authority)) throw malformed('authority of the request target');
  if (host !== null && host.toLowerCase() !== authority.toLowerCase())
    throw malformed('Host differs from the request target');
  return { authority, target: rest.startsWith('/') ? rest : `/${rest}` };
}

/** A host and perhaps a port, without the user that RFC 9110 section 4.2.4 deprecates. */
export function isAuthority(text: string): boolean {
  return hostAndPort.test(text);
}
