/** Messages with a JSON form of their own. */
export type KnownType =
  'none' | 'any' | 'timestamp' | 'duration' | 'field-mask' | 'struct' | 'value' | 'list-value' | 'wrapper';

const knownTypes: ReadonlyMap<string, KnownType> = new Map<string, KnownType>([
  ['google.protobuf.Any', 'any'],
  ['google.protobuf.Timestamp', 'timestamp'],
  ['google.protobuf.Duration', 'duration'],
  ['google.protobuf.FieldMask', 'field-mask'],
  ['google.protobuf.Struct', 'struct'],
  ['google.protobuf.Value', 'value'],
  ['google.protobuf.ListValue', 'list-value'],
  ...['Double', 'Float', 'Int64', 'UInt64', 'Int32', 'UInt32', 'Bool', 'String', 'Bytes'].map(
    (it) => [`google.protobuf.${it}Value`, 'wrapper'] as const,
  ),
]);

/** What a message is by its full name. */
export function knownTypeOf(name: string): KnownType {
  return knownTypes.get(name) ?? 'none';
}
