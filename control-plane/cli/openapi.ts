import { create } from '@bufbuild/protobuf';
import { stringify } from 'yaml';

import { Admin, GetOpenApiRequestSchema } from '../../proto/gen/sluice/v1/admin_pb.js';

import type { AdminClient } from './client.js';
import type { Output } from './print.js';

export interface OpenApiOptions {
  readonly host: string;
  /** `3.1` or `2.0`. */
  readonly version: string;
  readonly output: 'json' | 'yaml';
}

/** Prints the OpenAPI document of what is transcoded at a host. */
export async function printOpenApi(
  client: AdminClient,
  output: Output,
  { host, version, output: format }: OpenApiOptions,
): Promise<void> {
  const { data } = await client.call(Admin.method.getOpenApi, create(GetOpenApiRequestSchema, { host, version }));
  const document: unknown = JSON.parse(Buffer.from(data).toString());
  const text =
    format === 'json' ? JSON.stringify(document, null, 2) : stringify(document, { aliasDuplicateObjects: false });
  output.line(text.trimEnd());
}
