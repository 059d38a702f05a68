import { describe, expect, it } from 'vitest';
import { emptyBody } from './body.js';
import { ClientTrust } from './client-trust.js';
import type { Exchange } from './exchange.js';

const from = (address: string, headers: string[], tlsServerName: string | null = null): Exchange =>
  ({
    id: 'x',
    head: { method: 'GET', target: '/', authority: 'a', version: '1.1', headers },
    body: emptyBody,
    peer: { address, port: 1, localPort: 80, tlsServerName },
  }) as unknown as Exchange;

describe('ClientTrust', () => {
  const trust = new ClientTrust(['10.0.0.0/8', '::1']);

  it.each([
    { peer: '192.0.2.1', list: '1.1.1.1', client: '192.0.2.1', trusted: false },
    { peer: '10.1.2.3', list: '1.1.1.1', client: '1.1.1.1', trusted: true },
    { peer: '10.1.2.3', list: '6.6.6.6, 1.1.1.1, 10.9.9.9', client: '1.1.1.1', trusted: true },
    { peer: '10.1.2.3', list: '10.0.0.1, 10.0.0.2', client: '10.0.0.1', trusted: true },
    { peer: '10.1.2.3', list: 'nonsense', client: '10.1.2.3', trusted: true },
    { peer: '10.1.2.3', list: '6.6.6.6, nonsense', client: '10.1.2.3', trusted: true },
    { peer: '10.1.2.3', list: '6.6.6.6, unknown, 10.9.9.9', client: '10.9.9.9', trusted: true },
    { peer: '10.1.2.3', list: '6.6.6.6, 1.1.1.1:8080', client: '1.1.1.1', trusted: true },
    { peer: '10.1.2.3', list: '6.6.6.6, [2001:db8::1]:443', client: '2001:db8::1', trusted: true },
    { peer: '10.1.2.3', list: '[2001:db8::2], 10.9.9.9:1', client: '2001:db8::2', trusted: true },
    { peer: '10.1.2.3', list: '', client: '10.1.2.3', trusted: true },
    { peer: '::1', list: '2001:db8::1', client: '2001:db8::1', trusted: true },
  ])('of $peer with the list $list the client is $client', ({ peer, list, client, trusted }) => {
    expect(trust.facts(from(peer, ['X-Forwarded-For', list]))).toMatchObject({ clientAddress: client, trusted });
  });

  it('takes https from TLS, or from the word of a trusted peer', () => {
    const said = ['X-Forwarded-Proto', 'https'];

    expect(trust.facts(from('10.0.0.1', said)).secure).toBe(true);
    expect(trust.facts(from('192.0.2.1', said)).secure).toBe(false);
    expect(trust.facts(from('192.0.2.1', [], '')).secure).toBe(true);
  });

  it.each(['10.0.0.0/33', 'example.com', '10.0.0', '::1/129', '1.2.3.4/x'])('refuses %s by name', (item) => {
    expect(() => new ClientTrust([item])).toThrow(item);
  });
});
