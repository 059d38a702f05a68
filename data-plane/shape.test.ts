import { describe, expect, it } from 'vitest';
import { ProxyError } from './errors.js';
import type { RequestHead } from './exchange.js';
import { headerValue, headerValues } from './headers.js';
import { hostOnly, ReplyBlocks, upstreamFields, upstreamTarget, type ClientFacts } from './shape.js';

describe('upstreamTarget', () => {
  it.each([
    { target: '/shop/item?x=1', matched: '/shop', servicePath: '', want: '/item?x=1' },
    { target: '/shop', matched: '/shop', servicePath: '', want: '/' },
    { target: '/shop', matched: '/shop', servicePath: '/api', want: '/api' },
    { target: '/shop/', matched: '/shop', servicePath: '/api', want: '/api/' },
    { target: '/shop/', matched: '/shop/', servicePath: '/api', want: '/api/' },
    { target: '/shop/a', matched: '/shop/', servicePath: '/api', want: '/api/a' },
    { target: '/shops', matched: '/shop', servicePath: '', want: '/s' },
    { target: '/shop//a', matched: '/shop', servicePath: '', want: '//a' },
    { target: '/shop?', matched: '/shop', servicePath: '', want: '/?' },
    { target: '/a/b', matched: '', servicePath: '/api', want: '/api/a/b' },
  ])('strips $matched of $target and puts "$servicePath" in front: $want', ({ target, matched, servicePath, want }) => {
    expect(upstreamTarget(target, matched, null, { stripPath: true, servicePath })).toBe(want);
  });

  it('keeps the path of a route that does not strip', () => {
    expect(upstreamTarget('/shop/a?q', '/shop', null, { stripPath: false, servicePath: '/api' })).toBe('/api/shop/a?q');
  });

  it('puts a rewrite in the place of the path and keeps the query', () => {
    expect(upstreamTarget('/shop/a?q=1', '/shop', '/v2/a', { stripPath: true, servicePath: '/api' })).toBe(
      '/api/v2/a?q=1',
    );
  });

  it.each(['/x../secret', '/x%2e./secret', '/x..', '/x./a'])(
    'refuses %s when stripping /x uncovers a dot segment',
    (target) => {
      expect(() => upstreamTarget(target, '/x', null, { stripPath: true, servicePath: '' })).toThrow(ProxyError);
    },
  );
});

const head: RequestHead = { method: 'GET', target: '/', authority: 'shop.example:8080', version: '1.1', headers: [] };
const facts: ClientFacts = {
  trusted: false,
  clientAddress: '10.0.0.9',
  peerAddress: '10.0.0.9',
  secure: false,
  localPort: 8080,
};

function upstreamHeaders(...args: Parameters<typeof upstreamFields>): string[] {
  const { headers, added } = upstreamFields(...args);
  return [...headers, ...added.fields];
}

describe('upstreamFields', () => {
  it('says who the client is, and appends the gateway to Via', () => {
    const sent = upstreamHeaders(['Accept', '*/*', 'Via', '1.0 edge'], head, facts, 'id-1', '/shop');

    expect(sent).toEqual([
      'Accept',
      '*/*',
      'X-Forwarded-Prefix',
      '/shop',
      'X-Request-Id',
      'id-1',
      'X-Forwarded-For',
      '10.0.0.9',
      'X-Real-IP',
      '10.0.0.9',
      'X-Forwarded-Proto',
      'http',
      'X-Forwarded-Host',
      'shop.example',
      'X-Forwarded-Port',
      '8080',
      'Via',
      '1.0 edge, 1.1 sluice',
    ]);
  });

  it('appends the peer to X-Forwarded-For whoever sent it, and believes the rest of a trusted sender only', () => {
    const fields = [
      'x-forwarded-for',
      '1.2.3.4',
      'X-FORWARDED-PROTO',
      'https',
      'x-real-ip',
      '6.6.6.6',
      'X-Forwarded-Host',
      'evil',
    ];
    const distrusted = upstreamHeaders(fields, head, facts, 'id', '');
    const trusted = upstreamHeaders(fields, head, { ...facts, trusted: true, clientAddress: '1.2.3.4' }, 'id', '');

    expect(headerValues(distrusted, 'x-forwarded-for')).toEqual(['1.2.3.4, 10.0.0.9']);
    expect(headerValues(distrusted, 'x-forwarded-proto')).toEqual(['http']);
    expect(headerValues(distrusted, 'x-forwarded-host')).toEqual(['shop.example']);
    expect(headerValues(distrusted, 'x-real-ip')).toEqual(['10.0.0.9']);
    expect(headerValues(trusted, 'x-forwarded-proto')).toEqual(['https']);
    expect(headerValues(trusted, 'x-forwarded-host')).toEqual(['evil']);
    expect(headerValues(trusted, 'x-real-ip')).toEqual(['1.2.3.4']);
  });

  it('keeps the request id that the client sent', () => {
    expect(headerValues(upstreamHeaders(['x-request-id', 'mine'], head, facts, 'id', ''), 'x-request-id')).toEqual([
      'mine',
    ]);
  });
});

describe('ReplyBlocks', () => {
  const blocks = new ReplyBlocks();

  it('joins Via field lines into one and adds the latencies', () => {
    const fields = ['Via', '1.1 a', 'Server', 'x', 'via', '1.1 b'];
    const added = blocks.blockFor(fields, { proxyMs: 2, upstreamMs: 15 });

    expect(fields).toEqual(['Server', 'x']);
    expect(added.text).toBe(
      'Via: 1.1 a, 1.1 b, 1.1 sluice\r\nX-Sluice-Proxy-Latency: 2\r\nX-Sluice-Upstream-Latency: 15\r\n',
    );
  });

  it.each([
    { proxyMs: 0, upstreamMs: 63 },
    { proxyMs: 63, upstreamMs: 0 },
    { proxyMs: 1, upstreamMs: 64 },
    { proxyMs: 64, upstreamMs: 1 },
    { proxyMs: 0, upstreamMs: 90_000 },
  ])('tells latencies $proxyMs and $upstreamMs, again and again', (latency) => {
    for (let i = 0; i < 2; i++) {
      const { fields } = blocks.blockFor([], latency);
      expect(headerValue(fields, 'x-sluice-proxy-latency')).toBe(String(latency.proxyMs));
      expect(headerValue(fields, 'x-sluice-upstream-latency')).toBe(String(latency.upstreamMs));
    }
  });

  it('takes off what only answers of the gateway itself carry', () => {
    const fields = ['x-sluice-ERROR', 'no_route', 'Server', 'x'];
    blocks.blockFor(fields, null);

    expect(fields).toEqual(['Server', 'x']);
  });

  it('tells no latency where none is given', () => {
    expect(blocks.blockFor(['Server', 'x'], null).fields).toEqual(['Via', '1.1 sluice']);
  });
});

describe('hostOnly', () => {
  it.each([
    ['a.example:80', 'a.example'],
    ['a.example', 'a.example'],
    ['[::1]:80', '[::1]'],
    ['[::1]', '[::1]'],
    ['', ''],
  ])('%s is %s', (authority, want) => expect(hostOnly(authority)).toBe(want));
});
