/** Units of the config file: durations as `250ms`, `5s`, `1m`, `1m30s`; nothing else is a duration, so no unit is guessed. */

const nanosPerUnit: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
  d: 86_400_000_000_000n,
};
const nanosPerSecond = 1_000_000_000n;

export interface DurationValue {
  readonly seconds: bigint;
  readonly nanos: number;
}

/** Null when the text is no duration, or has parts of a nanosecond. */
export function parseDuration(text: string): DurationValue | null {
  if (!/^(?:\d{1,12}(?:\.\d{1,9})?(?:ns|us|ms|s|m|h|d))+$/.test(text)) return null;
  let total = 0n;
  for (const [, whole = '0', fraction = '', unit = 's'] of text.matchAll(/(\d+)(?:\.(\d+))?(ns|us|ms|s|m|h|d)/g)) {
    const nanos = nanosPerUnit[unit] ?? 0n;
    total += BigInt(whole) * nanos;
    const parts = BigInt(fraction) * nanos;
    const scale = 10n ** BigInt(fraction.length);
    if (parts % scale !== 0n) return null;
    total += parts / scale;
  }
  return { seconds: total / nanosPerSecond, nanos: Number(total % nanosPerSecond) };
}

/** In the largest unit that it is a whole number of; beyond milliseconds in seconds with a fraction. */
export function formatDuration({ seconds, nanos }: DurationValue): string {
  const total = seconds * nanosPerSecond + BigInt(nanos);
  for (const unit of ['d', 'h', 'm', 's', 'ms']) {
    const size = nanosPerUnit[unit] ?? 1n;
    if (total >= size && total % size === 0n) return `${total / size}${unit}`;
  }
  if (seconds === 0n) return `${total}ns`;
  return `${seconds}.${String(nanos).padStart(9, '0').replace(/0+$/, '')}s`;
}
