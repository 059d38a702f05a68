import { isIP } from 'node:net';
import { addressesOf } from './addresses.js';
import type { Exchange, Peer } from './exchange.js';
import { headerValue, headerValues } from './headers.js';
import type { ClientFacts } from './shape.js';

/** Which peers are believed when they speak for a client: the process's `trusted_ips`. */
export class ClientTrust {
  readonly #isTrusted: (address: string) => boolean;
  /** Of peers that are not trusted nothing is learnt from a request. */
  readonly #untrusted = new WeakMap<Peer, ClientFacts>();

  /** Takes addresses and CIDRs; throws an Error that names the first that is neither. */
  constructor(trustedIps: readonly string[]) {
    this.#isTrusted = addressesOf(trustedIps, '--trusted-ips');
  }

  facts({ peer, head }: Exchange): ClientFacts {
    const known = this.#untrusted.get(peer);
    if (known !== undefined) return known;
    const trusted = this.#isTrusted(peer.address);
    const secure =
      peer.tlsServerName !== null || (trusted && headerValue(head.headers, 'x-forwarded-proto') === 'https');
    const facts = {
      trusted,
      clientAddress: trusted
        ? this.#clientOf(headerValues(head.headers, 'x-forwarded-for'), peer.address)
        : peer.address,
      peerAddress: peer.address,
      secure,
      localPort: peer.localPort,
    };
    if (!trusted) this.#untrusted.set(peer, facts);
    return facts;
  }

  /**
   * Each hop appends whom it heard from, so the client is the last one that is not trusted. What is no address ends the search:
   * whoever is named before it may have been named by anybody.
   */
  #clientOf(forwardedFor: readonly string[], peerAddress: string): string {
    let client = peerAddress;
    for (const hop of forwardedFor.join(',').split(',').reverse()) {
      const address = addressOf(hop.trim());
      if (isIP(address) === 0) break;
      client = address;
      if (!this.#isTrusted(address)) break;
    }
    return client;
  }
}

/** Some proxies append the port as well, and brackets around an IPv6 address. */
function addressOf(hop: string): string {
  const [, address] = /^\[(.+)\](?::\d+)?$/.exec(hop) ?? /^([\d.]+):\d+$/.exec(hop) ?? [hop, hop];
  return address;
}
