/** A Timestamp or Duration: both halves have the same sign in a Duration, nanos are never negative in a Timestamp. */
export interface Moment {
  readonly seconds: number;
  readonly nanos: number;
}

const timestamp =
  /^([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?(?:Z|([+-])([0-9]{2}):([0-9]{2}))$/;
const duration = /^(-?)([0-9]{1,12})(?:\.([0-9]{1,9}))?s$/;

/** From 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z. */
export const minTimestamp = -62_135_596_800;
export const maxTimestamp = 253_402_300_799;
/** 10,000 years. */
export const maxDuration = 315_576_000_000;

const daysInMonth = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** An RFC 3339 time with any offset; undefined when it is none or out of range. */
export function parseTimestamp(text: string): Moment | undefined {
  const parts = timestamp.exec(text);
  if (parts === null) return undefined;
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = month === 2 && leap ? 29 : (daysInMonth[month - 1] ?? 0);
  const offsetHour = Number(parts[9] ?? 0);
  const offsetMinute = Number(parts[10] ?? 0);
  if (day < 1 || day > days || hour > 23 || minute > 59 || second > 59 || offsetHour > 23 || offsetMinute > 59)
    return undefined;
  const offset = (offsetHour * 60 + offsetMinute) * (parts[8] === '-' ? -60 : 60);
  const seconds = dayNumber(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset;
  return seconds < minTimestamp || seconds > maxTimestamp ? undefined : { seconds, nanos: nanosOf(parts[7]) };
}

/** `1.5s`; undefined when it is no duration or longer than 10,000 years. */
export function parseDuration(text: string): Moment | undefined {
  const parts = duration.exec(text);
  if (parts === null) return undefined;
  const seconds = Number(parts[2]);
  const nanos = nanosOf(parts[3]);
  if (seconds > maxDuration) return undefined;
  return parts[1] === '-' ? { seconds: 0 - seconds, nanos: 0 - nanos } : { seconds, nanos };
}

export function formatTimestamp(seconds: number, nanos: number): string {
  return `${new Date(seconds * 1_000).toISOString().slice(0, 19)}${fraction(nanos)}Z`;
}

export function formatDuration(seconds: number, nanos: number): string {
  const sign = seconds < 0 || nanos < 0 ? '-' : '';
  return `${sign}${Math.abs(seconds)}${fraction(Math.abs(nanos))}s`;
}

/** None, 3, 6 or 9 digits. */
function fraction(nanos: number): string {
  if (nanos === 0) return '';
  const digits = String(nanos).padStart(9, '0');
  if (digits.endsWith('000000')) return `.${digits.slice(0, 3)}`;
  return digits.endsWith('000') ? `.${digits.slice(0, 6)}` : `.${digits}`;
}

function nanosOf(digits: string | undefined): number {
  return digits === undefined ? 0 : Number(digits.padEnd(9, '0'));
}

/** Days since 1970-01-01 in the Gregorian calendar. */
function dayNumber(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}
