/**
 * The schema as the transcoder sees it: plain, linked types, made lazily from descriptor bytes. Bindings, plans and codecs are
 * compiled from these and from nothing else.
 */

/** google.protobuf.FieldDescriptorProto.Type, by number. */
export const fieldKind = {
  double: 1,
  float: 2,
  int64: 3,
  uint64: 4,
  int32: 5,
  fixed64: 6,
  fixed32: 7,
  bool: 8,
  string: 9,
  group: 10,
  message: 11,
  bytes: 12,
  uint32: 13,
  enum: 14,
  sfixed32: 15,
  sfixed64: 16,
  sint32: 17,
  sint64: 18,
} as const;
export type FieldKind = (typeof fieldKind)[keyof typeof fieldKind];

export interface Field {
  readonly number: number;
  /** The proto name; `[pkg.name]` for an extension. */
  readonly name: string;
  readonly jsonName: string;
  readonly kind: FieldKind;
  /** Full name of its message or enum; '' for a scalar. */
  readonly typeName: string;
  readonly repeated: boolean;
  readonly packed: boolean;
  /** Unset can be told from the default value. */
  readonly presence: boolean;
  /** Message fields only: group encoding on the wire. */
  readonly delimited: boolean;
  /** Index into `oneofs` of its message, or -1. */
  readonly oneof: number;
  readonly extension: boolean;
  /** A proto3 `optional`, which descriptors put into a oneof of its own. */
  readonly synthetic: boolean;
  /** The message that the field is declared in. */
  parent(): MessageType;
  /** Of a message, group or map field. Links on first use and throws SchemaError when the type is missing. */
  message(): MessageType;
  /** Of an enum field. */
  enumeration(): EnumType;
}

export interface MessageType {
  readonly name: string;
  readonly file: string;
  /** In the order of declaration. */
  readonly fields: readonly Field[];
  readonly oneofs: readonly string[];
  readonly mapEntry: boolean;
  /** By proto name. */
  field(name: string): Field | undefined;
  /** By JSON name. */
  jsonField(name: string): Field | undefined;
  /** Extensions of this message that the schema knows. */
  extensions(): readonly Field[];
}

export interface EnumType {
  readonly name: string;
  readonly file: string;
  readonly open: boolean;
  /** The first value of the declaration. */
  readonly first: number;
  /** The first name of each number. */
  readonly names: ReadonlyMap<number, string>;
  readonly numbers: ReadonlyMap<string, number>;
}

export interface Method {
  readonly name: string;
  readonly service: string;
  readonly file: string;
  /** `/pkg.Service/Method` */
  readonly path: string;
  readonly clientStreaming: boolean;
  readonly serverStreaming: boolean;
  readonly inputName: string;
  readonly outputName: string;
  input(): MessageType;
  output(): MessageType;
  /** The value of option google.api.http as it stands in the descriptor, or null. */
  readonly httpRule: Uint8Array | null;
}

export interface ServiceType {
  readonly name: string;
  readonly file: string;
  readonly methods: readonly Method[];
}

/** Whether a field is a map: its message is a map entry. */
export function isMap(field: Field): boolean {
  return field.repeated && field.kind === fieldKind.message && field.message().mapEntry;
}

export function isMessage(field: Field): boolean {
  return field.kind === fieldKind.message || field.kind === fieldKind.group;
}

/** A fault in the descriptors, in words for the person who uploaded them. */
export class SchemaError extends Error {
  readonly file: string;
  readonly symbol: string;

  constructor(file: string, symbol: string, reason: string) {
    super(reason);
    this.name = 'SchemaError';
    this.file = file;
    this.symbol = symbol;
  }
}
