import { isDeepStrictEqual } from 'node:util';
import {
  fromBinary,
  fromJsonString,
  toBinary,
  toJson,
  type DescMessage,
  type FileRegistry,
  type JsonWriteOptions,
} from '@bufbuild/protobuf';
import type { Schema } from '../../../data-plane/transcoder/transcoder.js';
import { RandomMessages, seededRandom, type Random } from '../../support/random-message.js';
import type { FuzzOptions, FuzzResult } from '../fuzzer.js';
import { mutateJson, mutateWire } from './mutate.js';
import { checkJson, checkWire, type Codec } from './hostile.js';

const utf8 = new TextEncoder();
const text = new TextDecoder();
const maxFindings = 20;
/** How deep messages are made within each other: deeper ones are larger, and so fewer. */
const maxDepth = 3;
/** What an Any of a random message may hold. */
const anyTypes = [
  'google.protobuf.Duration',
  'google.protobuf.Struct',
  'google.protobuf.StringValue',
  'google.rpc.Status',
  'google.type.Money',
  'google.longrunning.Operation',
];
/** The ways to write JSON that mean the same message. */
const spellings: readonly Partial<JsonWriteOptions>[] = [
  {},
  { useProtoFieldName: true },
  { enumAsInteger: true },
  { alwaysEmitImplicit: true },
];

interface Subject {
  readonly desc: DescMessage;
  readonly codec: Codec;
}

/** Holds the codecs of one schema against protobuf-es with the same descriptors. */
export class Differential {
  readonly #registry: FileRegistry;
  readonly #subjects: readonly Subject[];
  readonly #anyTypes: readonly DescMessage[];

  constructor(schema: Schema, registry: FileRegistry) {
    this.#registry = registry;
    this.#subjects = [...registry]
      .filter((it): it is DescMessage => it.kind === 'message')
      .map((desc) => ({ desc, codec: codecOf(schema, desc) }));
    this.#anyTypes = anyTypes.flatMap((name) => registry.getMessage(name) ?? []);
  }

  /** As many random messages as there are cases, over all types in turn. */
  run({ cases, seed, log }: FuzzOptions): FuzzResult {
    const random = seededRandom(seed);
    const messages = new RandomMessages(random, this.#anyTypes);
    const findings: string[] = [];
    // A prime, so that a short run sees types of all files.
    const stride = 7_919;
    for (let i = 0; i < cases && findings.length < maxFindings; i++) {
      const subject = this.#subjects[(i * stride + seed) % this.#subjects.length] as Subject;
      const finding = this.#attempt(subject, messages, random);
      if (finding !== undefined) findings.push(`case ${i}, ${subject.desc.typeName}: ${finding}`);
      if ((i + 1) % 50_000 === 0) log(`${i + 1} of ${cases}`);
    }
    return { summary: `${cases} messages of ${this.#subjects.length} types`, findings };
  }

  #attempt(subject: Subject, messages: RandomMessages, random: Random): string | undefined {
    const wire = toBinary(subject.desc, messages.make(subject.desc, random.below(maxDepth + 1)));
    try {
      return this.#agree(subject, wire, random) ?? this.#survive(subject, wire, random);
    } catch (error) {
      return `${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n${hex(wire)}`;
    }
  }

  /** What both make of a legal message. */
  #agree({ desc, codec }: Subject, wire: Uint8Array, random: Random): string | undefined {
    const registry = this.#registry;
    const message = fromBinary(desc, wire);
    const canonical = toBinary(desc, message);
    const emitsImplicit = random.below(4) === 0;
    const expected = toJson(desc, message, { registry, alwaysEmitImplicit: emitsImplicit });
    const printed = codec.print(wire, emitsImplicit ? 'implicit' : 'set');
    const json = text.decode(printed);
    if (!isDeepStrictEqual(rounded(json), rounded(JSON.stringify(expected))))
      return `prints ${json}, protobuf-es ${JSON.stringify(expected)}`;
    if (!isSame(toBinary(desc, fromJsonString(desc, json, { registry })), canonical))
      return `prints ${json}, which protobuf-es does not read as ${hex(wire)}`;
    const back = codec.read(printed, random.below(2) === 0);
    if (!isSame(toBinary(desc, fromBinary(desc, back)), canonical)) return `reads its own ${json} as ${hex(back)}`;
    return this.#readSpelling({ desc, codec }, message, canonical, random);
  }

  #readSpelling(
    { desc, codec }: Subject,
    message: ReturnType<typeof fromBinary>,
    canonical: Uint8Array,
    random: Random,
  ): string | undefined {
    const spelling = spellings[random.below(spellings.length)];
    const value = toJson(desc, message, { registry: this.#registry, ...spelling });
    const json = JSON.stringify(value, null, random.below(2));
    const wire = codec.read(utf8.encode(json), false);
    return isSame(toBinary(desc, fromBinary(desc, wire)), canonical) ? undefined : `reads ${json} as ${hex(wire)}`;
  }

  /** What both make of a message, and of its JSON, that is damaged. */
  #survive({ desc, codec }: Subject, wire: Uint8Array, random: Random): string | undefined {
    if (random.below(4) !== 0) return undefined;
    const damaged = mutateWire(wire, random);
    const found = checkWire(desc, codec, damaged, this.#registry);
    if (found !== undefined) return found;
    const json = codec.print(wire, 'set');
    return checkJson(desc, codec, mutateJson(json, random), this.#registry);
  }
}

function codecOf(schema: Schema, desc: DescMessage): Codec {
  const type = schema.message(desc.typeName);
  if (type === undefined) throw new Error(`the schema has no ${desc.typeName}`);
  return {
    print: (wire, emission) => schema.codecs.print(type, wire, emission),
    read: (json, keepZeros) => schema.codecs.read(type, json, { ignoreUnknown: false, keepZeros }),
  };
}

/** Floats are printed shortest here, and as doubles by protobuf-es; exact values are compared on the wire. */
function rounded(json: string): unknown {
  return JSON.parse(json, (_key, value: unknown) => (typeof value === 'number' ? Math.fround(value) : value));
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
