import { ScalarType, type DescField, type DescMessage, type JsonObject } from '@bufbuild/protobuf';
import type { Random } from '../support/random-message.js';
import type { Segment, TemplateText } from './template-text.js';

/** A path that a template takes, and the JSON of the message that it gives. */
export interface Filled {
  readonly path: string;
  readonly message: JsonObject;
}

/** Texts that a caller may put into a segment; none is a literal of a template, nor `.` or `..`. */
const texts = [
  'x1',
  'Ünïcödé-漢字-😀',
  'a/b',
  '/',
  '2020-01-01T12:30:00Z',
  'x:cancel',
  ':9',
  'a b+c',
  '100%',
  '%2F',
  '?q=1#f',
  "!$&'()*+,;=@",
  '...',
  'a\\b"c',
  'x'.repeat(200),
];
const unreserved = /[A-Za-z0-9\-._~]/;
/** These may stand as they are in a segment, or escaped. */
const optional = /[!$&'()*+,;=@]/;

/** Fills the variables of a template with random legal values, and escapes them as clients may. */
export function fill({ segments, verb }: TemplateText, input: DescMessage, random: Random): Filled {
  const parts: string[] = [];
  const values = new Map<string, string>();
  const add = (variable: string, escaped: string, value: string): void => {
    parts.push(escaped);
    if (variable === '') return;
    const before = values.get(variable);
    values.set(variable, before === undefined ? value : `${before}/${value}`);
  };
  for (const segment of segments) {
    if (segment.kind === 'literal') add(segment.variable, segment.text, segment.text);
    else {
      const count = segment.kind === 'single' ? 1 : random.below(4);
      if (count === 0 && segment.variable !== '' && !values.has(segment.variable)) values.set(segment.variable, '');
      const isMulti = isMultiSegment(segments, segment);
      const field = segment.variable === '' ? undefined : fieldAt(input, segment.variable);
      for (let i = 0; i < count; i++) {
        const text = valueOf(field, random);
        const escaped = escape(text, random);
        add(segment.variable, escaped, isMulti ? keepSlashes(text, escaped) : text);
      }
    }
  }
  return { path: `/${parts.join('/')}${verb === '' ? '' : `:${verb}`}`, message: messageOf(input, values) };
}

function isMultiSegment(segments: readonly Segment[], { kind, variable }: Segment): boolean {
  return kind === 'deep' || segments.filter((it) => it.variable === variable).length > 1;
}

function valueOf(field: DescField | undefined, random: Random): string {
  if (field === undefined || field.scalar === ScalarType.STRING) return texts[random.below(texts.length)] as string;
  if (field.enum !== undefined) return field.enum.values[field.enum.values.length - 1]?.name ?? '';
  switch (field.scalar) {
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return ['1', '-9223372036854775808', '9007199254740993'][random.below(3)] as string;
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return ['1', '18446744073709551615', '9007199254740993'][random.below(3)] as string;
    case ScalarType.INT32:
    case ScalarType.UINT32:
      return ['1', '2147483647'][random.below(2)] as string;
    case ScalarType.BOOL:
      return 'true';
    default:
      throw new Error(`${field.toString()} is of a type that the corpus had in no template so far`);
  }
}

/** Every character that may be escaped is, or is not; one that must be always is. */
function escape(text: string, random: Random): string {
  let escaped = '';
  for (const char of text) {
    const isRaw = unreserved.test(char) ? random.below(8) > 0 : optional.test(char) && random.below(2) === 0;
    escaped += isRaw || isDataColon(char, text, random) ? char : percent(char, random);
  }
  return escaped;
}

/** A colon is data where no verb can follow it; before what may be one it must be escaped. */
function isDataColon(char: string, text: string, random: Random): boolean {
  return char === ':' && !/:[a-z]/i.test(text) && random.below(2) === 0;
}

function percent(char: string, random: Random): string {
  const hex = Buffer.from(char).toString('hex').replaceAll(/../g, '%$&');
  return random.below(2) === 0 ? hex : hex.toUpperCase();
}

/** In a value of several segments a slash that was escaped stays so, as it was written (UN3). */
function keepSlashes(text: string, escaped: string): string {
  const written = [...escaped.matchAll(/%2f/gi)].map(([it]) => it);
  return text.replaceAll('/', () => written.shift() as string);
}

function fieldAt(input: DescMessage, dotted: string): DescField {
  let message: DescMessage | undefined = input;
  let field: DescField | undefined;
  for (const name of dotted.split('.')) {
    field = message?.fields.find((it) => it.name === name);
    message = field?.message;
  }
  if (field === undefined) throw new Error(`${input.typeName} has no ${dotted}`);
  return field;
}

function messageOf(input: DescMessage, values: ReadonlyMap<string, string>): JsonObject {
  const root: JsonObject = {};
  for (const [dotted, value] of values) {
    let object = root;
    let message: DescMessage | undefined = input;
    const names = dotted.split('.');
    for (const name of names.slice(0, -1)) {
      const field: DescField | undefined = message?.fields.find((it) => it.name === name);
      object = (object[field?.jsonName ?? name] ??= {}) as JsonObject;
      message = field?.message;
    }
    const leaf = fieldAt(input, dotted);
    object[leaf.jsonName] = leaf.scalar === ScalarType.BOOL ? true : value;
  }
  return root;
}
