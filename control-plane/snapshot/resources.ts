import { fromBinary } from '@bufbuild/protobuf';

import { CertificateSchema, RouteSchema, SchemaSchema, ServiceSchema } from '../../proto/gen/sluice/v1/config_pb.js';
import { Kind } from '../../proto/gen/sluice/v1/snapshot_pb.js';

import type { Certificate, Route, Schema, Service } from '../../proto/gen/sluice/v1/config_pb.js';
import type { Resource } from '../../proto/gen/sluice/v1/snapshot_pb.js';

/** A resource with its body decoded. */
export type Decoded =
  | { readonly kind: typeof Kind.SERVICE; readonly message: Service }
  | { readonly kind: typeof Kind.ROUTE; readonly message: Route }
  | { readonly kind: typeof Kind.SCHEMA; readonly message: Schema }
  | { readonly kind: typeof Kind.CERTIFICATE; readonly message: Certificate };

/** The config as checks look at it: decoded, by kind and name. */
export interface Config {
  readonly services: ReadonlyMap<string, Service>;
  readonly schemas: ReadonlyMap<string, Schema>;
  readonly routes: readonly Route[];
  readonly certificates: readonly Certificate[];
  /** Keys of resources that are there, and taken out of the config because of a problem. */
  readonly leftOut: ReadonlySet<string>;
}

/** Null when the body is not a message of the kind, or not of the name it is kept under. */
export function decodeResource(resource: Resource): Decoded | null {
  try {
    const decoded = decode(resource);
    return decoded?.message.name === resource.name ? decoded : null;
  } catch {
    return null;
  }
}

function decode({ kind, body }: Resource): Decoded | null {
  switch (kind) {
    case Kind.SERVICE:
      return { kind, message: fromBinary(ServiceSchema, body) };
    case Kind.ROUTE:
      return { kind, message: fromBinary(RouteSchema, body) };
    case Kind.SCHEMA:
      return { kind, message: fromBinary(SchemaSchema, body) };
    case Kind.CERTIFICATE:
      return { kind, message: fromBinary(CertificateSchema, body) };
    case Kind.UNSPECIFIED:
    case Kind.POLICY:
    case Kind.CONSUMER:
      return null;
  }
}

export function toConfig(resources: Iterable<Decoded>, leftOut: ReadonlySet<string>): Config {
  const services = new Map<string, Service>();
  const schemas = new Map<string, Schema>();
  const routes: Route[] = [];
  const certificates: Certificate[] = [];
  for (const { kind, message } of resources) {
    if (kind === Kind.SERVICE) services.set(message.name, message);
    else if (kind === Kind.SCHEMA) schemas.set(message.name, message);
    else if (kind === Kind.CERTIFICATE) certificates.push(message);
    else routes.push(message);
  }
  return { services, schemas, routes, certificates, leftOut };
}
