import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';

import {
  CertificateSchema,
  MetaSchema,
  RouteSchema,
  SchemaSchema,
  ServiceSchema,
} from '../../proto/gen/sluice/v1/config_pb.js';
import { Kind, ResourceSchema } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { sha256 } from '../../proto/snapshot/snapshot.js';

import type { GenMessage } from '@bufbuild/protobuf/codegenv2';
import type { Certificate, Meta, Route, Schema, Service } from '../../proto/gen/sluice/v1/config_pb.js';
import type { Resource } from '../../proto/gen/sluice/v1/snapshot_pb.js';

/**
 * Between the messages that callers send and the resources that the store keeps. Pure: time and revision come in as arguments.
 * A caller's Meta is never looked at; what is stored always carries ours.
 */
export type ConfigMessage = Service | Route | Schema | Certificate;

/** One kind of resource: its message, and its name in requests and in texts. */
export interface ResourceKind<M extends ConfigMessage = ConfigMessage> {
  readonly kind: Kind;
  readonly word: string;
  readonly schema: GenMessage<M>;
}

export const serviceKind: ResourceKind<Service> = { kind: Kind.SERVICE, word: 'service', schema: ServiceSchema };
export const routeKind: ResourceKind<Route> = { kind: Kind.ROUTE, word: 'route', schema: RouteSchema };
export const schemaKind: ResourceKind<Schema> = { kind: Kind.SCHEMA, word: 'schema', schema: SchemaSchema };
export const certificateKind: ResourceKind<Certificate> = {
  kind: Kind.CERTIFICATE,
  word: 'certificate',
  schema: CertificateSchema,
};

/** In the order in which changes are reported: what is referred to comes before what refers to it. */
export const kinds: readonly ResourceKind[] = [schemaKind, certificateKind, serviceKind, routeKind];

export function kindOf(kind: Kind): ResourceKind {
  const found = kinds.find((row) => row.kind === kind);
  if (found === undefined) throw new Error(`resources of kind ${kind} are not managed here`);
  return found;
}

/** The change that a resource is written by. */
export interface Stamp {
  readonly revision: bigint;
  /** The place within the change, for a resource that it creates. */
  readonly ordinal: number;
  readonly nowMs: number;
}

/** The resource to store for `message`, as the successor of one with the meta `previous`, whose age it keeps. */
export function toResource(
  row: ResourceKind,
  message: ConfigMessage,
  previous: Meta | undefined,
  stamp: Stamp,
): Resource {
  const now = timestampFromMs(stamp.nowMs);
  const meta = create(MetaSchema, {
    revision: stamp.revision,
    createdRevision: previous?.createdRevision ?? stamp.revision,
    ordinal: previous?.ordinal ?? stamp.ordinal,
    etag: etagOf(contentOf(row, message), stamp.revision),
    createTime: previous?.createTime ?? now,
    updateTime: now,
  });
  return create(ResourceSchema, {
    kind: row.kind,
    name: message.name,
    body: toBinary(row.schema, { ...message, meta }),
  });
}

export function fromResource<M extends ConfigMessage>(row: ResourceKind<M>, resource: Resource): M {
  return fromBinary(row.schema, resource.body);
}

/** What a caller leaves to us stays what it is: the descriptors of a schema that is read from a service. */
export function completed<M extends ConfigMessage>(message: M, stored: ConfigMessage | undefined): M {
  if (message.$typeName !== SchemaSchema.typeName || stored?.$typeName !== SchemaSchema.typeName) return message;
  if (message.reflect === undefined || message.descriptorSet.length > 0) return message;
  return { ...message, descriptorSet: stored.descriptorSet };
}

/** What people wrote of a resource, encoded: two resources with the same content differ at most in their history. */
export function contentOf(row: ResourceKind, message: ConfigMessage): Uint8Array {
  const { meta: _, ...content } = message;
  return toBinary(row.schema, content);
}

/** The revision is part of it, so that a change there and back again does not bring an old etag to life. */
function etagOf(content: Uint8Array, revision: bigint): string {
  return Buffer.from(sha256(content, String(revision)).subarray(0, 9)).toString('base64url');
}
