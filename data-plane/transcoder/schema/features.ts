import type { Cursor } from './cursor.js';

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
export function readFeatures(set: Cursor, outer: Features): Features {
  let { presence, openEnum, packed, delimited } = outer;
  for (let tag = set.tag(); tag !== 0; tag = set.tag()) {
    switch (tag) {
      case 0x08:
        presence = presences[set.varint()] ?? 'explicit';
        break;
      case 0x10:
        openEnum = set.varint() !== 2;
        break;
      case 0x18:
        packed = set.varint() !== 2;
        break;
      case 0x28:
        delimited = set.varint() === 2;
        break;
      default:
        set.skip(tag);
    }
  }
  return { presence, openEnum, packed, delimited };
}

const presences: Readonly<Record<number, Features['presence']>> = { 1: 'explicit', 2: 'implicit', 3: 'required' };
