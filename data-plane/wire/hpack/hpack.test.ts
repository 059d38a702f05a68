import { describe, expect, it } from 'vitest';
import { FieldBlock } from '../../headers.js';
import { fieldBound, HpackDecoder, HpackEncoder, HpackError, writeIndexed, writeNoTable } from './hpack.js';

type Fields = [name: string, value: string][];

const bytes = (hex: string): Buffer => Buffer.from(hex.replaceAll(/\s/g, ''), 'hex');

function decode(decoder: HpackDecoder, block: Buffer): Fields {
  const fields: Fields = [];
  decoder.decode(block, 0, block.length, { field: (name, value) => fields.push([name, value]) });
  return fields;
}

const request1: Fields = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/'],
  [':authority', 'www.example.com'],
];
const request2: Fields = [...request1, ['cache-control', 'no-cache']];
const request3: Fields = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':path', '/index.html'],
  [':authority', 'www.example.com'],
  ['custom-key', 'custom-value'],
];
const response1: Fields = [
  [':status', '302'],
  ['cache-control', 'private'],
  ['date', 'Mon, 21 Oct 2013 20:13:21 GMT'],
  ['location', 'https://www.example.com'],
];
const response2: Fields = [[':status', '307'], ...response1.slice(1)];
const response3: Fields = [
  [':status', '200'],
  ['cache-control', 'private'],
  ['date', 'Mon, 21 Oct 2013 20:13:22 GMT'],
  ['location', 'https://www.example.com'],
  ['content-encoding', 'gzip'],
  ['set-cookie', 'foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1'],
];

describe('the examples of RFC 7541 appendix C decode to their fields and leave their tables', () => {
  const examples: [title: string, tableBytes: number, blocks: [block: string, fields: Fields, tableBytes: number][]][] =
    [
      [
        'C.2.1',
        4096,
        [['400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572', [['custom-key', 'custom-header']], 55]],
      ],
      ['C.2.2', 4096, [['040c 2f73 616d 706c 652f 7061 7468', [[':path', '/sample/path']], 0]]],
      ['C.2.3', 4096, [['1008 7061 7373 776f 7264 0673 6563 7265 74', [['password', 'secret']], 0]]],
      ['C.2.4', 4096, [['82', [[':method', 'GET']], 0]]],
      [
        'C.3',
        4096,
        [
          ['8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d', request1, 57],
          ['8286 84be 5808 6e6f 2d63 6163 6865', request2, 110],
          ['8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65', request3, 164],
        ],
      ],
      [
        'C.4',
        4096,
        [
          ['8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff', request1, 57],
          ['8286 84be 5886 a8eb 1064 9cbf', request2, 110],
          ['8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf', request3, 164],
        ],
      ],
      [
        'C.5',
        256,
        [
          [
            '4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d',
            response1,
            222,
          ],
          ['4803 3330 37c1 c0bf', response2, 222],
          [
            '88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31',
            response3,
            215,
          ],
        ],
      ],
      [
        'C.6',
        256,
        [
          [
            '4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3',
            response1,
            222,
          ],
          ['4883 640e ffc1 c0bf', response2, 222],
          [
            '88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07',
            response3,
            215,
          ],
        ],
      ],
    ];

  it.each(examples)('%s', (_title, tableBytes, blocks) => {
    const decoder = new HpackDecoder(tableBytes);

    for (const [block, fields, tableAfter] of blocks) {
      expect(decode(decoder, bytes(block))).toEqual(fields);
      expect(decoder.tableBytes).toBe(tableAfter);
    }
  });
});

describe('a block that breaks a rule', () => {
  const broken: [title: string, block: string][] = [
    ['index 0', '80'],
    ['an index that no field has', 'be'],
    ['a literal whose name has no such index', '7f 00 00'],
    ['an index beyond any table', 'ff ff ff ff ff 0f'],
    ['an integer without an end', 'ff 80 80 80 80 80 80 80 80 80 80 00'],
    ['an integer cut off', 'ff'],
    ['a name cut off', '40 05 61 62'],
    ['a missing value', '40 01 61'],
    ['a length beyond the block', '00 01 61 7f ff ff ff 7f'],
    ['Huffman padding of zeros', '00 01 61 81 18'],
    ['Huffman padding of a whole byte', '00 01 61 82 1f ff'],
    ['the end-of-string symbol', '00 01 61 84 ff ff ff ff'],
    ['a table larger than allowed', '3f e2 1f'],
    ['a table update after a field', '82 20'],
  ];

  it.each(broken)('is refused: %s', (_title, block) => {
    expect(() => decode(new HpackDecoder(4096), bytes(block))).toThrow(HpackError);
  });
});

describe('the dynamic table', () => {
  it('is emptied by an update to zero, after which nothing can be indexed in it', () => {
    const decoder = new HpackDecoder();
    decode(decoder, bytes('4001 6101 62'));

    expect(decode(decoder, bytes('be 20'.slice(0, 2)))).toEqual([['a', 'b']]);
    expect(decode(decoder, bytes('20 4001 6101 62'))).toEqual([['a', 'b']]);
    expect(decoder.tableBytes).toBe(0);
    expect(() => decode(decoder, bytes('be'))).toThrow(HpackError);
  });

  it('finds every entry in order after it has grown and wrapped around', () => {
    const decoder = new HpackDecoder(34 * 50);
    for (let i = 0; i < 130; i++) decode(decoder, Buffer.from([0x40, 1, 97 + (i % 26), 1, 97 + ((i * 7) % 26)]));

    for (let i = 0; i < 50; i++) {
      const age = 129 - i;
      const expected = [String.fromCharCode(97 + (age % 26)), String.fromCharCode(97 + ((age * 7) % 26))];
      expect(decode(decoder, Buffer.from([0x80 | (62 + i)]))).toEqual([expected]);
    }
    expect(() => decode(decoder, Buffer.from([0x80 | 112]))).toThrow(HpackError);
  });

  it('takes an update up to the limit that the peer has acknowledged', () => {
    const decoder = new HpackDecoder(4096);
    decoder.setMaxTableBytes(0);

    expect(decode(decoder, bytes('20 82'))).toEqual([[':method', 'GET']]);
    expect(() => decode(decoder, bytes('21 82'))).toThrow(HpackError);
  });
});

describe('the encoder', () => {
  const fields: Fields = [
    ['content-type', 'application/grpc'],
    ['te', 'trailers'],
    ['x-empty', ''],
    ['user-agent', 'sluice'],
    ['authorization', 'Bearer t'],
    ['x-long', 'v'.repeat(300)],
    ['x-latin', 'caf\xe9'],
    ['www-authenticate', 'Basic'],
    [`x-${'n'.repeat(200)}`, 'long name'],
  ];

  function encode(encoder: HpackEncoder, list: Fields): Buffer {
    const out = Buffer.alloc(list.reduce((sum, [name, value]) => sum + fieldBound(name, value), 8));
    let at = writeIndexed(out, writeNoTable(out, 0), 3);
    for (const [name, value] of list) at = encoder.field(out, at, name, value);
    return out.subarray(0, at);
  }

  it('writes what the decoder reads, twice the same, and leaves the table empty', () => {
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder();

    const first = encode(encoder, fields);
    const second = encode(encoder, fields);

    expect(second).toEqual(first);
    expect(decode(decoder, first)).toEqual([[':method', 'POST'], ...fields]);
    expect(decoder.tableBytes).toBe(0);
  });

  it('makes the bytes of fields that come again and again once, and they are those of the fields', () => {
    const encoder = new HpackEncoder(new Set(['connection']));
    const block = new FieldBlock(['Via', '1.1 a', 'Connection', 'close', 'Date', 'today']);

    const coded = encoder.coded(block);

    expect(decode(new HpackDecoder(), Buffer.from(coded))).toEqual([
      ['via', '1.1 a'],
      ['date', 'today'],
    ]);
    expect(encoder.coded(block)).toBe(coded);
  });

  it('lowers names, and marks secrets as never to be indexed', () => {
    const block = encode(new HpackEncoder(), [
      ['Authorization', 's'],
      ['X-Name', 'v'],
    ]);

    expect(decode(new HpackDecoder(), block).slice(1)).toEqual([
      ['authorization', 's'],
      ['x-name', 'v'],
    ]);
    expect(block[2]).toBe(0x1f);
  });
});

it('every byte is decoded from the text that another implementation (x/net/http2/hpack) coded', () => {
  const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  const coded = bytes(allBytesCoded);
  const length = [0xff, ((coded.length - 127) & 0x7f) | 0x80, (coded.length - 127) >> 7];
  const block = Buffer.concat([Buffer.from([0x00, 1, 97, ...length]), coded]);

  expect(decode(new HpackDecoder(), block)).toEqual([['a', all.toString('latin1')]]);
});

const allBytesCoded = `
  ffc7fffd8fffffe2fffffe3fffffe4fffffe5fffffe6fffffe7fffffe8ffffeafffffff3fffffa7fffffabffffffdfffffebfffffecfffff
  edfffffeefffffefffffff0ffffff1ffffff2fffffffbfffffcffffffd3fffffd7fffffdbfffffdffffffe3fffffe7fffffebfffffed4fe3
  f9ffaffcabf1febfafefe7fdfd2cbb00089969b71d79fb9f7fff20ffbff3ff50ddbd7f061c58f265cd9f469d5af66dddbf871e5f9cff7ff7
  fffc3ff9ffe45fff4719242cb34e6e9d68a6a3d7dac426defe3cfaf7fffbfe7ffbffdffffffcfffe6ffff4bfff9ffffa3fffd3ffff53fffd
  5ffffb3fffeb7fffdaffffb7ffff73fffeeffffdeffffebffffbfffffd9ffffdbfffebffffe0ffffeeffffc3ffff8bffff1ffffe4fffee7f
  ffb1ffff97fffd9ffffcdffff9fffffbffffdafffeeffff4ffffb7fffee7fffe8ffffd3fffdeffffd5fffeeffffbdffffe1fffdfffff7fff
  ff5ffffecffff07fff87fffe0ffff17fffedffff87ffff77fffeffffeaffff8bfffe3ffff93ffff87fffcbffff37ffff1fffff83ffffe1ff
  febfffe3ffff3fffff2ffffa3ffffd9fffff17ffffc7fffff27ffffdefffffbffffff2fffff8fffffb7fff97fff8fffffe6fffffc1fffff8
  7ffffe7fffffc5ffffe5fffe4ffff2fffffd1fffff4ffffffefffffe3fffffc9fffff97fffb3ffffcffffb7fffcdffff4ffff9ffffd1ffff
  cffffeaffffafffffddffffeffffff4fffff5fffffabffffa7ffffd7fffff9bffffecfffffb7fffff3fffffe8fffffd3fffffabfffff5fff
  ffff7ffffecfffffdbfffffbbfffff7ffffff0fffffbbf
`;
