import { makeFraming } from './framing.js';
import type { Random } from './random.js';
import {
  colons,
  connections,
  fieldNames,
  fieldValues,
  hosts,
  lineEnds,
  methods,
  otherHopFields,
  targets,
  versions,
} from './vocabulary.js';

/**
 * What one client sends on one connection, as latin1 text: one request, at times two or three behind each other. Most are right
 * in all but one or two places, because a parser refuses the rest before it comes to anything of interest.
 */
export function makeRequests(random: Random): string {
  let text = random.chance(0.03) ? random.pick(['\r\n', '\r\n\r\n', '\n', '\r', ' ', '\0', '\r\n \r\n']) : '';
  for (let count = random.chance(0.25) ? 2 + random.below(2) : 1; count > 0; count--) text += makeRequest(random);
  return text;
}

/** How odd a request is: the chance of each of its parts to be. */
const oddShares = [0, 0, 0.02, 0.06, 0.15];

function makeRequest(random: Random): string {
  const oddShare = random.pick(oddShares);
  const framing = makeFraming(random);
  const fields = [...hostFields(random, oddShare), ...framing.fields];
  for (let count = random.below(4); count > 0; count--) fields.push(makeField(random, oddShare));
  if (random.chance(0.15)) fields.push(`Connection: ${random.pick(connections)}`);
  if (random.chance(0.12)) fields.push(random.pick(otherHopFields));
  if (random.chance(0.3)) random.shuffle(fields);
  let text = requestLine(random, oddShare) + lineEnd(random, oddShare);
  for (const field of fields) text += field + lineEnd(random, oddShare / 4);
  return text + lineEnd(random, oddShare / 2) + framing.body;
}

function requestLine(random: Random, oddShare: number): string {
  if (random.chance(oddShare / 8))
    return random.pick([
      'GET /',
      'GET',
      '',
      'GET  / HTTP/1.1',
      'GET\t/ HTTP/1.1',
      'GET /  HTTP/1.1',
      ' GET / HTTP/1.1',
      'GET / HTTP/1.1 ',
      'GET /\tHTTP/1.1',
      'GET\x0b/ HTTP/1.1',
    ]);
  const method = random.mostly(methods.usual, methods.odd, oddShare);
  const target = random.mostly(targets.usual, targets.odd, Math.max(0.05, oddShare));
  return `${method} ${target} ${random.mostly(versions.usual, versions.odd, oddShare)}`;
}

function hostFields(random: Random, oddShare: number): string[] {
  const host = `Host${random.mostly(colons.usual, colons.odd, oddShare / 4)}${random.mostly(hosts.usual, hosts.odd, oddShare)}`;
  if (!random.chance(oddShare)) return [host];
  return random.pick([
    [],
    [host, host],
    [host, 'Host: b'],
    ['host: a'],
    ['HOST: a'],
    ['Host : a'],
    ['X-Host: a'],
    [host, 'X-Forwarded-Host: b'],
  ]);
}

export function makeField(random: Random, oddShare: number): string {
  const name = random.mostly(fieldNames.usual, fieldNames.odd, oddShare);
  return (
    name +
    random.mostly(colons.usual, colons.odd, oddShare / 2) +
    random.mostly(fieldValues.usual, fieldValues.odd, oddShare)
  );
}

export function lineEnd(random: Random, oddShare: number): string {
  return random.mostly(lineEnds.usual, lineEnds.odd, oddShare);
}
