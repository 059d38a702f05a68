import { isMap } from 'yaml';

import { HttpSchema } from '../../../proto/gen/google/api/http_pb.js';
import { readFailure } from './failure.js';
import { keyOf, readText, valueOf } from './scalars.js';
import { parseSource } from './source.js';

import type { Place } from './place.js';
import type { ReadMessage } from './sugar.js';

const shape = 'must be a google.api.Service, as {type: google.api.Service, http: {rules: [...]}}';

/**
 * Reads the `http` of a google.api.Service in YAML or JSON; all else that such a file says is somebody else's. Its lines are told
 * of what is wrong in it, here or by the gateway.
 */
export function readRulesFile(node: unknown, place: Place, readMessage: ReadMessage): unknown {
  const path = readText(node, place);
  if (path === undefined) return undefined;
  let bytes: Uint8Array;
  try {
    bytes = place.reading.readFile(path);
  } catch (error) {
    return place.report(node, `${path}: ${readFailure(error)}`);
  }
  const { file, problems } = parseSource(place.reading.nameOf(path), bytes);
  place.reading.problems.push(...problems.map((problem) => ({ ...problem, resource: place.reading.resource })));
  if (file === null) return undefined;
  const inFile = place.inFile(file);
  if (!isMap(file.contents)) return inFile.report(file.contents, shape);
  const http = file.contents.items.find(({ key }) => keyOf(key) === 'http');
  if (http === undefined) return inFile.report(file.contents, shape);
  return readMessage(HttpSchema, { node: valueOf(http) }, inFile.spelled('http'));
}
