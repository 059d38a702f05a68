import { ScalarType, type DescField, type DescMessage } from '@bufbuild/protobuf';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';

/**
 * Whether a record has a wire type that its field does not have. To protobuf this is an unknown field; protobuf-es goes by the
 * number alone. Throws when the bytes are no message.
 */
export function hasForeignWireType(desc: DescMessage, wire: Uint8Array): boolean {
  const reader = new BinaryReader(wire);
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    const field = desc.fields.find((it) => it.number === number);
    if (field !== undefined && !wireTypesOf(field).includes(wireType)) return true;
    if (wireType === WireType.LengthDelimited) {
      const value = reader.bytes();
      if (field !== undefined && isForeignWithin(field, value)) return true;
    } else {
      reader.skip(wireType, number);
    }
  }
  return false;
}

function isForeignWithin(field: DescField, value: Uint8Array): boolean {
  if (field.fieldKind === 'map') return isForeignEntry(field, value);
  return field.message !== undefined && hasForeignWireType(field.message, value);
}

function isForeignEntry(field: DescField & { fieldKind: 'map' }, entry: Uint8Array): boolean {
  const reader = new BinaryReader(entry);
  const expected = [scalarWireType(field.mapKey), valueWireType(field)];
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (number <= 2 && expected[number - 1] !== wireType) return true;
    if (number === 2 && field.message !== undefined && hasForeignWireType(field.message, reader.bytes())) return true;
    if (number !== 2 || field.message === undefined) reader.skip(wireType, number);
  }
  return false;
}

function wireTypesOf(field: DescField): readonly WireType[] {
  if (field.fieldKind === 'map') return [WireType.LengthDelimited];
  const own = valueWireType(field);
  const isPackable = field.fieldKind === 'list' && own !== WireType.LengthDelimited && own !== WireType.StartGroup;
  return isPackable ? [own, WireType.LengthDelimited] : [own];
}

function valueWireType(field: DescField): WireType {
  if (field.enum !== undefined) return WireType.Varint;
  if (field.message !== undefined) {
    const isGroup = 'delimitedEncoding' in field && field.delimitedEncoding;
    return isGroup ? WireType.StartGroup : WireType.LengthDelimited;
  }
  return scalarWireType(field.scalar);
}

function scalarWireType(scalar: ScalarType): WireType {
  switch (scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return WireType.LengthDelimited;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return WireType.Bit64;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return WireType.Bit32;
    default:
      return WireType.Varint;
  }
}
