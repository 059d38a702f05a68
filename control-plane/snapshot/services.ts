import { X509Certificate } from 'node:crypto';

import { checkCertificate } from '../../data-plane/certificates/certificates.js';
import { Protocol } from '../../proto/gen/sluice/v1/config_pb.js';
import { checkHealth } from './health.js';
import { checkHost, checkTarget } from './target.js';
import { checkTimeouts } from './timeouts.js';

import type { Service, StaticEndpoint, UpstreamTls } from '../../proto/gen/sluice/v1/config_pb.js';
import type { Fault } from './fault.js';

/** What a node could not use in a service, beyond the rules that stand in the proto. */
export function checkService(service: Service): Fault[] {
  const source = service.discovery?.source;
  return [
    ...(source?.case === 'static' ? checkEndpoints(source.value.endpoints) : []),
    ...(source?.case === 'consul' ? checkTags('discovery.consul', source.value.tags) : []),
    ...checkTarget('path', service.path),
    ...checkHost('host', service.host),
    ...checkTimeouts(service.timeouts),
    ...(service.tls === undefined ? [] : checkTls(service.tls, service.protocol)),
    ...(service.health?.active === undefined ? [] : checkHealth(service.health.active, service.protocol)),
  ];
}

/** Endpoints are known by address and port, so a second one of the same would be lost. */
function checkEndpoints(endpoints: readonly StaticEndpoint[]): Fault[] {
  const faults: Fault[] = [];
  const seen = new Map<string, number>();
  for (const [i, { address, port, tags }] of endpoints.entries()) {
    faults.push(...checkTags(`discovery.static.endpoints[${i}]`, tags));
    const id = `${address.toLowerCase()} ${port}`;
    const first = seen.get(id);
    if (first === undefined) seen.set(id, i);
    else
      faults.push({
        field: `discovery.static.endpoints[${i}]`,
        reason: `is the same address and port as endpoints[${first}]`,
      });
  }
  return faults;
}

function checkTags(field: string, tags: readonly string[]): Fault[] {
  return tags.flatMap((tag, i) =>
    /\p{Cc}/u.test(tag) ? [{ field: `${field}.tags[${i}]`, reason: 'has a control character' }] : [],
  );
}

function checkTls(tls: UpstreamTls, protocol: Protocol): Fault[] {
  if (protocol !== Protocol.HTTPS && protocol !== Protocol.GRPCS) {
    return [{ field: 'tls', reason: 'is only for services whose protocol is https or grpcs' }];
  }
  return [
    ...(tls.caPem === '' || isCertificates(tls.caPem)
      ? []
      : [{ field: 'tls.ca_pem', reason: 'is not a list of PEM certificates' }]),
    ...checkOwnCertificate(tls),
  ];
}

/** What the gateway shows endpoints; the names in it are nobody's to ask for. */
function checkOwnCertificate({ certPem, keyPem }: UpstreamTls): Fault[] {
  if (certPem === '' && keyPem === '') return [];
  if (certPem === '') return [{ field: 'tls.key_pem', reason: 'is only beside cert_pem' }];
  const { faults } = checkCertificate({ certPem, keyPem, snis: [], isDefault: true });
  return faults.map(({ field, reason }) => ({ field: `tls.${field}`, reason }));
}

function isCertificates(pem: string): boolean {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  try {
    for (const block of blocks) void new X509Certificate(block);
    return blocks.length > 0;
  } catch {
    return false;
  }
}
