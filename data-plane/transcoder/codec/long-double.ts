import type { JsonSource } from './json-source.js';

const minus = 0x2d;
const dot = 0x2e;
const maxPower = 22;
/** Powers of ten that are exact. */
const powers = Array.from({ length: maxPower + 1 }, (_, exponent) => Number(`1e${exponent}`));
/** Splits a double into two halves whose products are exact (Veltkamp). */
const splitter = 134_217_729;
/** Far more than the quotient of a rest can be wrong by. */
const doubt = 2 ** -40;

/**
 * Reads a number of up to 19 digits, which are more than a double holds, and the nearest double of it: twice as fast as to make
 * a text of it first. NaN, with the position anywhere, for any other number, and where two doubles are too near to be told apart.
 */
export function longDouble(source: JsonSource, start: number): number {
  const src = source.src;
  let pos = start;
  const negative = src[pos] === minus;
  if (negative) pos++;
  const first = pos;
  if (src[pos] === 0x30 && src[pos + 1] !== dot) return NaN;
  let head = 0;
  let tail = 0;
  let tailDigits = 0;
  let decimals = 0;
  let point = -1;
  for (;;) {
    const digit = (src[pos] as number) - 0x30;
    if (digit >= 0 && digit <= 9) {
      if (head < 1e14) head = head * 10 + digit;
      else {
        if (++tailDigits > 4) return NaN;
        tail = tail * 10 + digit;
      }
    } else if (src[pos] === dot && point < 0 && pos > first) {
      point = pos;
    } else {
      break;
    }
    pos++;
  }
  if (point >= 0) decimals = pos - point - 1;
  if (decimals === 0 && point >= 0) return NaN;
  let exponent = -decimals;
  if (((src[pos] as number) | 0x20) === 0x65) {
    pos++;
    const isSmall = src[pos] === minus;
    if (isSmall || src[pos] === 0x2b) pos++;
    const digits = pos;
    let power = 0;
    for (
      let digit = src[pos] as number;
      digit >= 0x30 && digit <= 0x39 && pos - digits < 3;
      digit = src[++pos] as number
    )
      power = power * 10 + digit - 0x30;
    if (pos === digits) return NaN;
    exponent += isSmall ? -power : power;
  }
  const end = src[pos] as number;
  if (end !== 0x2c && end !== 0x5d && end !== 0x7d) return NaN;
  if (exponent < -maxPower || exponent > maxPower || pos === first) return NaN;
  source.pos = pos;
  const value = scaled(head, tail, powers[tailDigits] as number, exponent);
  return negative ? -value : value;
}

/** The double that is nearest to (head × unit + tail) × 10^exponent, or NaN. */
function scaled(head: number, tail: number, unit: number, exponent: number): number {
  const product = head * unit;
  const high = product + tail;
  // What the sum, and the product, lost: small integers, so exact.
  const low = tail - (high - product) + lost(head, unit, product);
  const power = powers[Math.abs(exponent)] as number;
  const near = exponent < 0 ? high / power : high * power;
  const rest =
    exponent < 0
      ? (high - near * power - lost(near, power, near * power) + low) / power
      : lost(high, power, near) + low * power;
  const value = near + rest * (1 + doubt);
  return value === near + rest * (1 - doubt) ? value : NaN;
}

/** What rounding took from the product of two numbers (Dekker). */
function lost(a: number, b: number, product: number): number {
  const aHigh = splitter * a - (splitter * a - a);
  const bHigh = splitter * b - (splitter * b - b);
  const aLow = a - aHigh;
  const bLow = b - bHigh;
  return aLow * bLow - (product - aHigh * bHigh - aLow * bHigh - aHigh * bLow);
}
