import { create } from '@bufbuild/protobuf';
import { readFileSync } from 'node:fs';

import { HttpFieldSchema } from '../../proto/gen/sluice/v1/admin_pb.js';
import { UsageError } from './errors.js';

import type { HttpField } from '../../proto/gen/sluice/v1/admin_pb.js';

/** `Name: value`, as curl takes them; throws UsageError for one without a colon. */
export function readHeaders(lines: readonly string[]): HttpField[] {
  return lines.map((line) => {
    const colon = line.indexOf(':');
    if (colon < 1) throw new UsageError(`a header must be NAME: VALUE, not ${JSON.stringify(line)}`);
    return create(HttpFieldSchema, { name: line.slice(0, colon).trim(), value: line.slice(colon + 1).trim() });
  });
}

/** The text itself, or what is in the file behind an `@`; `@-` is standard input. */
export function readBody(text: string | undefined): Uint8Array {
  if (text === undefined) return new Uint8Array(0);
  if (!text.startsWith('@')) return Buffer.from(text);
  const path = text.slice(1);
  try {
    return readFileSync(path === '-' ? 0 : path);
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}
