import {
  create,
  ScalarType,
  toBinary,
  type DescEnum,
  type DescField,
  type DescMessage,
  type Message,
} from '@bufbuild/protobuf';
import { reflect, type ReflectMessage } from '@bufbuild/protobuf/reflect';
import { ListValueSchema, ValueSchema } from '@bufbuild/protobuf/wkt';

/** A stream of numbers that a seed decides. */
export interface Random {
  /** An integer from 0 to before `limit`. */
  below(limit: number): number;
}

/** mulberry32. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return {
    below(limit) {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
    },
  };
}

const int32s = [0, 1, -1, 9, 10, 99_999, 999_999_999, 1_000_000_000, 2_147_483_647, -2_147_483_648, -999_999_999];
const uint32s = [0, 1, 9, 127, 128, 300, 999_999_999, 2_147_483_648, 4_294_967_295];
const int64s = [
  0n,
  1n,
  -1n,
  9_007_199_254_740_993n,
  -9_007_199_254_740_993n,
  9_223_372_036_854_775_807n,
  -9_223_372_036_854_775_808n,
  4_294_967_296n,
  -4_294_967_296n,
  123_456_789_012n,
];
const uint64s = [
  0n,
  1n,
  9_007_199_254_740_993n,
  18_446_744_073_709_551_615n,
  4_294_967_296n,
  10_000_000_000_000_000_000n,
];
const doubles = [
  0,
  1,
  -1,
  0.5,
  0.1,
  1.37,
  -273.15,
  1e21,
  1e-7,
  123456789.123,
  5e-324,
  1.7976931348623157e308,
  0.30000000000000004,
  4294967296,
  9007199254740992,
  Infinity,
  -Infinity,
  NaN,
];
const timestamps = [0n, -62_135_596_800n, 253_402_300_799n, 1_700_000_000n, -1n];
const durations = [0n, 1n, 315_576_000_000n];
const nanos = [0, 1, 999_999_999, 500_000_000, 120_000, 7_000];
const strings = [
  '',
  'a',
  'plain text',
  'quote " and \\ back',
  'line\nbreak\ttab',
  '\u0000\u001f',
  'é',
  '漢字',
  '😀',
  '</script>',
  'x'.repeat(126),
  'x'.repeat(127),
  'x'.repeat(128),
  'é'.repeat(70),
  '__proto__',
  'constructor',
];

/** Makes random legal messages: every kind of field, unset, zero and extreme values. */
export class RandomMessages {
  readonly #random: Random;
  readonly #anyTypes: readonly DescMessage[];

  /** `anyTypes` are what an Any may hold. */
  constructor(random: Random, anyTypes: readonly DescMessage[]) {
    this.#random = random;
    this.#anyTypes = anyTypes;
  }

  /** A message of at most `depth` messages within each other. */
  make(desc: DescMessage, depth: number): Message {
    const known = this.#known(desc, depth);
    if (known !== undefined) return known;
    const message = reflect(desc);
    const chosen = new Set(desc.oneofs.map((oneof) => oneof.fields[this.#random.below(oneof.fields.length)]));
    for (const field of desc.fields) {
      if (field.oneof !== undefined && !chosen.has(field)) continue;
      const isRequired = field.proto.label === 2;
      if (isRequired || this.#random.below(3) === 0) this.#set(message, field, depth);
    }
    return message.message;
  }

  #set(message: ReflectMessage, field: DescField, depth: number): void {
    if (field.message !== undefined && depth <= 0) return;
    if (field.fieldKind === 'list') {
      const list = message.get(field);
      for (let count = this.#random.below(4); count > 0; count--) list.add(this.#value(field, depth));
    } else if (field.fieldKind === 'map') {
      const map = message.get(field);
      for (let count = this.#random.below(4); count > 0; count--) {
        map.set(scalar(field.mapKey, this.#random), this.#value(field, depth));
      }
    } else message.set(field, this.#value(field, depth));
  }

  #value(field: DescField, depth: number): unknown {
    if (field.enum !== undefined) return enumValue(field.enum, this.#random);
    if (field.message !== undefined) return reflect(field.message, this.make(field.message, depth - 1));
    return field.scalar === undefined ? undefined : scalar(field.scalar, this.#random);
  }

  /** Messages that not every value of their fields makes legal. */
  #known(desc: DescMessage, depth: number): Message | undefined {
    const random = this.#random;
    switch (desc.typeName) {
      case 'google.protobuf.Timestamp':
        return create(desc, { seconds: pick(timestamps, random), nanos: pick(nanos, random) });
      case 'google.protobuf.Duration': {
        const sign = random.below(2) === 0 ? 1 : -1;
        return create(desc, { seconds: BigInt(sign) * pick(durations, random), nanos: sign * pick(nanos, random) });
      }
      case 'google.protobuf.FieldMask':
        return create(desc, { paths: ['a', 'foo_bar', 'a.b_c.d'].slice(0, random.below(4)) });
      case 'google.protobuf.Any':
        return this.#any(desc, depth);
      case 'google.protobuf.Value':
        return create(desc, { kind: this.#kind(depth) });
      default:
        return undefined;
    }
  }

  #any(desc: DescMessage, depth: number): Message {
    if (depth <= 0 || this.#anyTypes.length === 0 || this.#random.below(4) === 0) return create(desc);
    const type = pick(this.#anyTypes, this.#random);
    const value = toBinary(type, this.make(type, depth - 1));
    return create(desc, { typeUrl: `type.googleapis.com/${type.typeName}`, value });
  }

  #kind(depth: number): unknown {
    const random = this.#random;
    switch (random.below(depth > 0 ? 6 : 4)) {
      case 0:
        return { case: 'nullValue', value: 0 };
      case 1:
        return { case: 'numberValue', value: pick(doubles.filter(Number.isFinite), random) };
      case 2:
        return { case: 'stringValue', value: pick(strings, random) };
      case 3:
        return { case: 'boolValue', value: random.below(2) === 1 };
      case 4: {
        const fields = { [pick(strings, random)]: create(ValueSchema, { kind: this.#kind(depth - 1) } as never) };
        return { case: 'structValue', value: fields };
      }
      default:
        return {
          case: 'listValue',
          value: create(ListValueSchema, { values: [{ kind: this.#kind(depth - 1) }] } as never),
        };
    }
  }
}

function enumValue(desc: DescEnum, random: Random): number {
  if (desc.open && desc.typeName !== 'google.protobuf.NullValue' && random.below(5) === 0) return 4_711;
  return pick(desc.values, random).number;
}

function scalar(type: ScalarType, random: Random): unknown {
  switch (type) {
    case ScalarType.DOUBLE:
      return pick(doubles, random);
    case ScalarType.FLOAT:
      return Math.fround(
        pick(
          doubles.filter((it) => !(Math.abs(it) > 3.4e38) || !Number.isFinite(it)),
          random,
        ),
      );
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return pick(int32s, random);
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return pick(uint32s, random);
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return pick(int64s, random);
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return pick(uint64s, random);
    case ScalarType.BOOL:
      return random.below(2) === 1;
    case ScalarType.STRING:
      return pick(strings, random);
    case ScalarType.BYTES:
      return Uint8Array.from({ length: random.below(8) }, () => random.below(256));
  }
}

function pick<T>(from: readonly T[], random: Random): T {
  return from[random.below(from.length)] as T;
}
