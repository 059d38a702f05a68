import { fieldKind, type FieldKind } from '../schema/types.js';

/** A 64-bit integer as two halves in two's complement. */
export interface Int64 {
  readonly low: number;
  readonly high: number;
}

const decimal = /^-?[0-9]{1,20}$/;
const maxSafe = BigInt(Number.MAX_SAFE_INTEGER);

export function isSigned64(kind: FieldKind): boolean {
  return kind === fieldKind.int64 || kind === fieldKind.sint64 || kind === fieldKind.sfixed64;
}

export function is64(kind: FieldKind): boolean {
  return isSigned64(kind) || kind === fieldKind.uint64 || kind === fieldKind.fixed64;
}

/** A 32-bit integer in plain decimal, or undefined when the text is none or does not fit. */
export function parseInt32(text: string, signed: boolean): number | undefined {
  if (!decimal.test(text)) return undefined;
  const value = Number(text);
  return signed
    ? value >= -0x80000000 && value <= 0x7fffffff
      ? value + 0
      : undefined
    : value >= 0 && value <= 0xffffffff
      ? value + 0
      : undefined;
}

/** A 64-bit integer in plain decimal, exactly, or undefined when the text is none or does not fit. */
export function parseInt64(text: string, signed: boolean): Int64 | undefined {
  if (!decimal.test(text)) return undefined;
  const value = BigInt(text);
  if (signed ? BigInt.asIntN(64, value) !== value : BigInt.asUintN(64, value) !== value) return undefined;
  if (value >= 0n && value <= maxSafe) {
    const small = Number(value);
    return { low: small >>> 0, high: Math.floor(small / 0x100000000) };
  }
  const bits = BigInt.asUintN(64, value);
  return { low: Number(bits & 0xffffffffn), high: Number(bits >> 32n) };
}

/** The zigzag form of sint64. */
export function zigzag64({ low, high }: Int64): Int64 {
  const sign = high >> 31;
  return { low: ((low << 1) ^ sign) >>> 0, high: (((high << 1) | (low >>> 31)) ^ sign) >>> 0 };
}

/**
 * The integer that a JSON number's text stands for, with exponent and decimals as long as they leave an integer (`1e2`, `1.0`);
 * undefined when they do not or when it has more than 20 digits.
 */
export function exactInteger(text: string): bigint | undefined {
  const parts = /^(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/.exec(text);
  if (parts === null) return undefined;
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = parts;
  const digits = (whole + fraction).replace(/^0+/, '');
  if (digits === '') return 0n;
  const shift = Number(exponent) - fraction.length;
  const significant = digits.replace(/0+$/, '');
  const zeros = digits.length - significant.length + shift;
  if (zeros < 0 || significant.length + zeros > 20) return undefined;
  return BigInt(sign + significant + '0'.repeat(zeros));
}
