import { afterAll, beforeAll, expect, test } from 'vitest';
import { startVolumeRig, type VolumeRig } from '../support/volume.js';

const mib = 1024 ** 2;
/** `SLUICE_VOLUME=full` for a million messages and a GiB each way. */
const isFull = process.env['SLUICE_VOLUME'] === 'full';
const messages = isFull ? 1_000_000 : 200_000;
const bytes = (isFull ? 1024 : 128) * mib;
const maxAddedBytes = 100 * mib;
const timeoutMs = isFull ? 300_000 : 60_000;

let rig: VolumeRig;

beforeAll(async () => {
  rig = await startVolumeRig();
});

afterAll(() => rig.close());

test(
  `ST16 a server stream of ${messages} messages is held in no memory`,
  async () => {
    const volume = await rig.stream(messages);

    expect(volume.messages).toBe(messages);
    expect(volume.addedBytes).toBeLessThan(maxAddedBytes);
  },
  timeoutMs,
);

test(
  `HB4 a download of ${bytes / mib} MiB is held in no memory`,
  async () => {
    const volume = await rig.download(bytes);

    expect(volume.bytes).toBe(bytes);
    expect(volume.addedBytes).toBeLessThan(maxAddedBytes);
  },
  timeoutMs,
);

test(
  `HB3 an upload of ${bytes / mib} MiB is held in no memory`,
  async () => {
    const volume = await rig.upload(bytes);

    expect(volume.bytes).toBeGreaterThan(bytes);
    expect(volume.addedBytes).toBeLessThan(maxAddedBytes);
  },
  timeoutMs,
);
