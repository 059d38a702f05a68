import { expect, test } from 'vitest';
import { seededRandom } from '../../../test/support/random-message.js';
import { JsonSource } from './json-source.js';
import { readDouble, readInt32, readInt64 } from './read-number.js';

const random = seededRandom(5);
const source = new JsonSource();
const utf8 = new TextEncoder();

function at(text: string): JsonSource {
  source.load(utf8.encode(`${text},`));
  return source;
}

function digits(count: number): string {
  return Array.from({ length: count }, () => String(random.below(10))).join('');
}

/** Decimal texts of doubles, of what lies between two of them, and of anything. */
function randomNumber(): string {
  const sign = random.below(2) === 0 ? '' : '-';
  const exponent = random.below(3) === 0 ? `e${random.below(60) - 30}` : '';
  switch (random.below(5)) {
    case 0:
      return `${sign}${String(1 + random.below(9))}${digits(random.below(19))}.${digits(1 + random.below(19))}${exponent}`;
    case 1:
      return `${sign}0.${'0'.repeat(random.below(6))}${digits(1 + random.below(19))}${exponent}`;
    case 2:
      return sign + String(random.below(2 ** 31) / (1 + random.below(2 ** 20)));
    case 3: {
      // The middle between two doubles, and its neighbours.
      const middle = (BigInt(2 ** 53) + BigInt(random.below(2 ** 31)) * 2n + 1n) << BigInt(random.below(10));
      return sign + String(middle + BigInt(random.below(3) - 1));
    }
    default:
      return `${sign}${String(1 + random.below(9))}${digits(14 + random.below(6))}${exponent}`;
  }
}

test('PJ7 doubles of any number of digits are read as JavaScript reads them', () => {
  const wrong: string[] = [];
  for (let i = 0; i < 200_000; i++) {
    const text = randomNumber();
    if (!Object.is(readDouble(at(text), false), Number(text))) wrong.push(text);
  }

  expect(wrong).toEqual([]);
});

test.each([
  '9007199254740993',
  '0.1',
  '1.7976931348623157',
  '2.2250738585072014',
  '123456789012345678',
  '1e22',
  '-0.0',
])('PJ7 %s, and what differs from it in the last digit, are read as JavaScript reads them', (text) => {
  for (const digit of '0123456789') {
    const other = text.slice(0, -1) + digit;
    expect(readDouble(at(other), false)).toBe(Number(other));
  }
});

test.each(['2147483647', '-2147483648', '1234567890', '-1234567890', '999999999', '"2147483647"', '"-2147483648"'])(
  'PJ6 the int32 %s is read',
  (text) => {
    expect(readInt32(at(text), true)).toBe(Number(text.replaceAll('"', '')));
  },
);

test.each(['4294967295', '4294967294', '1000000000', '"4294967295"', '0'])('PJ6 the uint32 %s is read', (text) => {
  expect(readInt32(at(text), false)).toBe(Number(text.replaceAll('"', '')));
});

test('PJ6 64-bit integers are read exactly', () => {
  const slot = { low: 0, high: 0 };
  for (let i = 0; i < 20_000; i++) {
    const value =
      BigInt.asIntN(64, (BigInt(random.below(2 ** 32)) << 32n) | BigInt(random.below(2 ** 32))) >>
      BigInt(random.below(64));
    readInt64(at(String(value)), true, slot);
    const read = BigInt.asIntN(64, (BigInt(slot.high >>> 0) << 32n) | BigInt(slot.low >>> 0));
    if (read !== value) expect(read).toBe(value);
  }
});
