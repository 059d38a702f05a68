import { withoutBlanks } from './reading.js';

/**
 * The fields of a message that are for its final recipient, as RFC 9110 section 7.6.1 has it and without those that the gateway
 * writes itself. Written apart from the gateway's own rule, to judge it.
 */
export function endToEnd(fields: readonly string[], gatewayWrites: ReadonlySet<string>): string[] {
  const dropped = new Set(hopByHop);
  for (let i = 0; i < fields.length; i += 2) {
    if (lower(fields, i) === 'connection')
      for (const option of (fields[i + 1] as string).split(',')) dropped.add(withoutBlanks(option).toLowerCase());
  }
  return fields.filter((_, i) => {
    const name = lower(fields, i - (i % 2));
    return !dropped.has(name) && !gatewayWrites.has(name);
  });
}

function lower(fields: readonly string[], at: number): string {
  return (fields[at] as string).toLowerCase();
}

// prettier-ignore
const hopByHop: readonly string[] = [
  'connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization', 'proxy-authentication-info', 'te', 'upgrade', 'http2-settings', 'expect',
  'transfer-encoding', 'content-length', 'host',
];

/** What the gateway sets, joins or takes off on the way to a service. */
export const writtenToService: ReadonlySet<string> = new Set([
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-prefix',
  'x-real-ip',
  'via',
  'x-request-id',
]);

export const writtenToClient: ReadonlySet<string> = new Set(['via', 'date', 'x-sluice-error']);
