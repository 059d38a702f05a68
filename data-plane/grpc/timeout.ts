import type { HeaderList } from '../headers.js';

const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/** Milliseconds of a grpc-timeout value; null when it is not 1 to 8 digits and a unit. */
export function parseTimeout(text: string): number | null {
  const parts = /^([0-9]{1,8})([HMSmun])$/.exec(text);
  return parts === null ? null : Number(parts[1]) * (unitMs[parts[2] as string] as number);
}

/** A grpc-timeout value of at most eight digits, never longer than `timeoutMs` and never zero. */
export function grpcTimeout(timeoutMs: number): string {
  const micros = Math.max(1, Math.floor(timeoutMs * 1_000));
  if (micros < 1e8) return `${micros}u`;
  if (timeoutMs < 1e8) return `${Math.floor(timeoutMs)}m`;
  return `${Math.min(99_999_999, Math.floor(timeoutMs / 1_000))}S`;
}

/** What remains of the deadline goes along (HD9), so that the service does not work longer than anyone waits. */
export function withTimeout(headers: HeaderList, leftMs: number): HeaderList {
  return leftMs === Infinity ? headers : [...headers, 'grpc-timeout', grpcTimeout(Math.max(1, Math.floor(leftMs)))];
}
