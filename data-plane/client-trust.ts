import { BlockList, isIPv4, isIPv6 } from 'node:net';
import type { Exchange, Peer } from './exchange.js';
import { headerValue, headerValues } from './headers.js';
import type { ClientFacts } from './shape.js';

/** Which peers are believed when they speak for a client: the process's `trusted_ips`. */
export class ClientTrust {
  readonly #trusted: BlockList | null;
  /** Of peers that are not trusted nothing is learnt from a request. */
  readonly #untrusted = new WeakMap<Peer, ClientFacts>();

  /** Takes addresses and CIDRs; throws an Error that names the first that is neither. */
  constructor(trustedIps: readonly string[]) {
    this.#trusted = trustedIps.length === 0 ? null : blockList(trustedIps);
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

  /** Lists are appended to on the way, so the nearest address that is not trusted is the last one that can be believed. */
  #clientOf(forwardedFor: readonly string[], peerAddress: string): string {
    const hops = forwardedFor
      .join(',')
      .split(',')
      .map((hop) => hop.trim())
      .filter((hop) => isIPv4(hop) || isIPv6(hop));
    return hops.findLast((hop) => !this.#isTrusted(hop)) ?? hops[0] ?? peerAddress;
  }

  #isTrusted(address: string): boolean {
    if (this.#trusted === null) return false;
    return this.#trusted.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
  }
}

function blockList(items: readonly string[]): BlockList {
  const list = new BlockList();
  for (const item of items) {
    const [address = '', prefix] = item.split('/');
    const family = isIPv4(address) ? 'ipv4' : isIPv6(address) ? 'ipv6' : null;
    const bits = prefix === undefined ? null : Number(prefix);
    if (family === null || (bits !== null && !(/^\d+$/.test(prefix ?? '') && bits <= (family === 'ipv4' ? 32 : 128)))) {
      throw new Error(`"${item}" in the trusted addresses is neither an IP address nor a CIDR`);
    }
    if (bits === null) list.addAddress(address, family);
    else list.addSubnet(address, bits, family);
  }
  return list;
}
