import type { BinaryReader } from '@bufbuild/protobuf/wire';

/** The edition features that change JSON or wire format, resolved for one scope. */
export interface Features {
  readonly presence: 'explicit' | 'implicit' | 'required';
  readonly openEnum: boolean;
  readonly packed: boolean;
  readonly delimited: boolean;
}

const proto2: Features = { presence: 'explicit', openEnum: false, packed: false, delimited: false };
const proto3: Features = { presence: 'implicit', openEnum: true, packed: true, delimited: false };
const edition2023: Features = { presence: 'explicit', openEnum: true, packed: true, delimited: false };

const EDITION_PROTO2 = 998;
const EDITION_PROTO3 = 999;
const EDITION_2023 = 1000;
const EDITION_2024 = 1001;

/** The defaults of a file's syntax or edition, or null when this gateway does not know the edition. */
export function fileFeatures(syntax: string, edition: number): Features | null {
  if (syntax === 'proto3' || edition === EDITION_PROTO3) return proto3;
  if (syntax === 'editions') return edition === EDITION_2023 || edition === EDITION_2024 ? edition2023 : null;
  return syntax === '' || syntax === 'proto2' || edition === EDITION_PROTO2 ? proto2 : null;
}

/** The features of an inner scope: those of `outer`, changed by what its google.protobuf.FeatureSet says. */
export function readFeatures(reader: BinaryReader, outer: Features): Features {
  let { presence, openEnum, packed, delimited } = outer;
  const end = reader.len;
  while (reader.pos < end) {
    const [number, wireType] = reader.tag();
    if (wireType !== 0 || number > 5) {
      reader.skip(wireType, number);
      continue;
    }
    const value = reader.uint32();
    if (number === 1) presence = value === 2 ? 'implicit' : value === 3 ? 'required' : 'explicit';
    else if (number === 2) openEnum = value !== 2;
    else if (number === 3) packed = value !== 2;
    else if (number === 5) delimited = value === 2;
  }
  return { presence, openEnum, packed, delimited };
}
