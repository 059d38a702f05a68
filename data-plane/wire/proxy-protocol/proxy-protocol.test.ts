import { describe, expect, test } from 'vitest';
import { readProxyHeader } from './proxy-protocol.js';

const v2 = (command: number, family: number, ...rest: number[]): Buffer =>
  Buffer.from([
    0x0d,
    0x0a,
    0x0d,
    0x0a,
    0,
    0x0d,
    0x0a,
    0x51,
    0x55,
    0x49,
    0x54,
    0x0a,
    command,
    family,
    rest.length >> 8,
    rest.length & 255,
    ...rest,
  ]);
const v6 = (...groups: number[]): number[] => [
  ...groups.flatMap((group) => [group >> 8, group & 255]),
  ...new Array<number>(16).fill(1),
  0x1f,
  0x90,
  0,
  80,
];

describe('readProxyHeader', () => {
  test.each<[string, Buffer, string | null]>([
    ['v1 IPv4', Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n'), '192.0.2.1 56324'],
    ['v1 IPv6', Buffer.from('PROXY TCP6 2001:db8::1 ::1 1 2\r\n'), '2001:db8::1 1'],
    ['v1 unknown', Buffer.from('PROXY UNKNOWN\r\n'), null],
    ['v1 unknown with addresses', Buffer.from('PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n'), null],
    ['v2 IPv4', v2(0x21, 0x11, 192, 0, 2, 7, 10, 0, 0, 1, 0x1f, 0x90, 0, 80), '192.0.2.7 8080'],
    ['v2 IPv4 with extras', v2(0x21, 0x11, 192, 0, 2, 7, 10, 0, 0, 1, 0x1f, 0x90, 0, 80, 4, 0, 1, 0), '192.0.2.7 8080'],
    ['v2 IPv6', v2(0x21, 0x21, ...v6(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)), '2001:db8::1 8080'],
    ['v2 IPv6 with zeros first', v2(0x21, 0x21, ...v6(0, 0, 0, 0, 0, 0, 0, 1)), '::1 8080'],
    ['v2 IPv6 with zeros last', v2(0x21, 0x21, ...v6(0xfe80, 0, 0, 0, 0, 0, 0, 0)), 'fe80:: 8080'],
    ['v2 IPv6 without zeros', v2(0x21, 0x21, ...v6(1, 2, 3, 4, 5, 6, 7, 8)), '1:2:3:4:5:6:7:8 8080'],
    ['v2 local', v2(0x20, 0x00), null],
    ['v2 unix', v2(0x21, 0x31, ...new Array<number>(216).fill(0)), null],
  ])('%s, also byte by byte', (_name, header, source) => {
    const whole = Buffer.concat([header, Buffer.from('GET /')]);
    const read = readProxyHeader(whole);
    if (typeof read === 'string') throw new Error(read);
    expect(read.source === null ? null : `${read.source.address} ${read.source.port}`).toBe(source);
    expect(read.length).toBe(header.length);
    for (let i = 0; i < header.length; i++) expect(readProxyHeader(header.subarray(0, i))).toBe('more');
  });

  test.each<[string, Buffer]>([
    ['a request', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['lower case', Buffer.from('proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n')],
    ['a short line', Buffer.from('PROXY TCP4 1.2.3.4\r\n')],
    ['a port too large', Buffer.from('PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n')],
    ['a name for an address', Buffer.from('PROXY TCP4 localhost 1.2.3.4 1 2\r\n')],
    ['an IPv4 address as TCP6', Buffer.from('PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n')],
    ['a line without end', Buffer.from(`PROXY ${'x'.repeat(200)}`)],
    ['a wrong signature', Buffer.from('\r\n\r\n\0\r\nQUIX\n')],
    ['another version', v2(0x31, 0x11, ...new Array<number>(12).fill(1))],
    ['an unknown command', v2(0x22, 0x11, ...new Array<number>(12).fill(1))],
    ['an IPv4 block cut short', v2(0x21, 0x11, 1, 2, 3)],
    ['an endless block', v2(0x21, 0x11, ...new Array<number>(5_000).fill(1))],
  ])('%s is malformed', (_name, bytes) => {
    expect(readProxyHeader(bytes)).toBe('malformed');
  });
});
