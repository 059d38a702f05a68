import type { Random } from './random.js';
import {
  chunkSizes,
  colons,
  connections,
  contentLengths,
  lineEnds,
  otherHopFields,
  transferEncodings,
} from './vocabulary.js';

const tokens: readonly string[] = [
  ...lineEnds.odd,
  ...colons.odd,
  '\0',
  '\x7f',
  '\x80',
  '\xff',
  ' ',
  '\t',
  ',',
  ';',
  '0',
  '1',
  'f',
  '0\r\n\r\n',
  'HTTP/1.1',
  'HTTP/1.0',
  'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n',
  'A: b\r\n',
  ' A: b\r\n',
  'Host: b\r\n',
  'ffffffffffffffff',
];

/** Text with one to four things done to it; `other` is a second text to splice with. */
export function mutate(random: Random, text: string, other: string): string {
  let result = text;
  for (let rounds = 1 + random.below(4); rounds > 0; rounds--) result = random.pick(mutations)(random, result, other);
  return result.slice(0, 8_192);
}

type Mutation = (random: Random, text: string, other: string) => string;

const mutations: readonly Mutation[] = [
  function flipBit(random, text) {
    const at = random.below(text.length);
    return replace(text, at, 1, String.fromCharCode((text.charCodeAt(at) || 0) ^ (1 << random.below(8))));
  },
  function setByte(random, text) {
    return replace(text, random.below(text.length), 1, String.fromCharCode(random.below(256)));
  },
  function insertToken(random, text) {
    return replace(text, random.below(text.length + 1), 0, random.pick(tokens));
  },
  function insertToken(random, text) {
    return replace(text, random.below(text.length + 1), 0, random.pick(tokens));
  },
  function removeRange(random, text) {
    return replace(text, random.below(text.length), 1 + random.below(8), '');
  },
  function repeatRange(random, text) {
    const at = random.below(text.length);
    return replace(text, at, 0, text.slice(at, at + 1 + random.below(24)));
  },
  function cutOff(random, text) {
    return text.slice(0, random.below(text.length + 1));
  },
  function splice(random, text, other) {
    return text.slice(0, random.below(text.length + 1)) + other.slice(random.below(other.length + 1));
  },
  function breakLineEnd(random, text) {
    return editLines(
      text,
      '\r\n',
      (parts) => parts.join('\r\n'),
      random,
      (parts, at) => void (parts[at] = `${parts[at]}${random.pick(lineEnds.odd)}${parts.splice(at + 1, 1)[0] ?? ''}`),
    );
  },
  function repeatLine(random, text) {
    return editLines(
      text,
      '\r\n',
      (parts) => parts.join('\r\n'),
      random,
      (parts, at) => void parts.splice(random.below(parts.length), 0, parts[at] as string),
    );
  },
  function removeLine(random, text) {
    return editLines(
      text,
      '\r\n',
      (parts) => parts.join('\r\n'),
      random,
      (parts, at) => void parts.splice(at, 1),
    );
  },
  function addField(random, text) {
    const end = text.indexOf('\r\n');
    return end < 0 ? text : replace(text, end + 2, 0, `${hostileField(random)}\r\n`);
  },
  function addField(random, text) {
    const end = text.indexOf('\r\n\r\n');
    return end < 0 ? text : replace(text, end + 2, 0, `${hostileField(random)}\r\n`);
  },
];

function hostileField(random: Random): string {
  switch (random.below(5)) {
    case 0:
      return `Content-Length: ${random.pick(contentLengths).replaceAll('N', String(random.below(20)))}`;
    case 1:
      return `Transfer-Encoding: ${random.pick(transferEncodings)}`;
    case 2:
      return `Connection: ${random.pick(connections)}`;
    case 3:
      return random.pick(otherHopFields);
    default:
      return random.pick(chunkSizes).replaceAll('N', String(random.below(20)));
  }
}

function replace(text: string, at: number, length: number, insert: string): string {
  return text.slice(0, at) + insert + text.slice(at + length);
}

function editLines(
  text: string,
  separator: string,
  join: (parts: string[]) => string,
  random: Random,
  edit: (parts: string[], at: number) => void,
): string {
  const parts = text.split(separator);
  edit(parts, random.below(parts.length));
  return join(parts);
}
