import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';

import { BeaconSchema, Codec, ConfigPatchSchema, EnvelopeSchema } from '../gen/sluice/v1/snapshot_pb.js';
import { open, openLarge, seal, sealLarge } from './bus.js';

const small = create(ConfigPatchSchema, { fromRevision: 7n, change: new Uint8Array([1, 2, 3]) });
const large = create(ConfigPatchSchema, {
  fromRevision: 7n,
  change: new TextEncoder().encode('routes '.repeat(10_000)),
});

describe('an envelope', () => {
  test.each([
    ['small', small, Codec.IDENTITY],
    ['large', large, Codec.BROTLI],
  ])('gives a %s message back, compressed only where it pays', async (_name, message, codec) => {
    const sealed = seal(ConfigPatchSchema, message);

    expect(fromBinary(EnvelopeSchema, sealed).codec).toBe(codec);
    expect(open(ConfigPatchSchema, sealed)).toEqual({ message });
    expect(await sealLarge(ConfigPatchSchema, message)).toEqual(sealed);
    expect(await openLarge(ConfigPatchSchema, sealed)).toEqual({ message });
  });

  test('a large message becomes small', () => {
    expect(seal(ConfigPatchSchema, large).length).toBeLessThan(large.change.length / 10);
  });

  const valid = { protocolVersion: 1, codec: Codec.IDENTITY, type: 'sluice.v1.Beacon', body: new Uint8Array() };
  test.each([
    ['another protocol version', { ...valid, protocolVersion: 2 }, 'protocol version 2 is not spoken here'],
    ['another type', { ...valid, type: 'sluice.v1.ConfigPatch' }, 'it holds a sluice.v1.ConfigPatch'],
    ['no type', { ...valid, type: '' }, 'it holds a message without a type'],
    ['an unknown codec', { ...valid, codec: 9 as Codec }, 'codec 9 is not known here'],
    [
      'a body that is not brotli',
      { ...valid, codec: Codec.BROTLI, body: new Uint8Array([1, 2, 3]) },
      'not a readable sluice.v1.Beacon',
    ],
    ['a body that is not the message', { ...valid, body: new Uint8Array([255]) }, 'not a readable sluice.v1.Beacon'],
  ])('with %s gives a fault, not an exception', async (_name, envelope, fault) => {
    const bytes = toBinary(EnvelopeSchema, create(EnvelopeSchema, envelope));

    expect(open(BeaconSchema, bytes)).toEqual({ fault: expect.stringContaining(fault) });
    expect(await openLarge(BeaconSchema, bytes)).toEqual({ fault: expect.stringContaining(fault) });
  });

  test('bytes that are no envelope give a fault', () => {
    expect(open(BeaconSchema, new Uint8Array([10, 200, 1]))).toEqual({ fault: expect.any(String) });
    expect(open(BeaconSchema, new Uint8Array())).toEqual({ fault: expect.stringContaining('protocol version 0') });
  });
});
