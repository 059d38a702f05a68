/** One instance in the answer of `/v1/health/service/<name>`, with what we use of it and nothing else. */
export interface Entry {
  readonly node: string;
  readonly serviceId: string;
  /** The service's own address, else its node's. */
  readonly address: string;
  readonly port: number;
  readonly tags: readonly string[];
  readonly weights: { readonly passing: number; readonly warning: number };
  /** Of the service and of its node. */
  readonly checks: readonly Check[];
}

export interface Check {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  /** What the operator wrote; for a maintenance check the reason of the maintenance. */
  readonly notes: string;
  /** Else it is of the node. */
  readonly ofService: boolean;
}

/** An entry that could not be used; the rest of the answer was. */
export interface SkippedEntry {
  /** Its place in the answer. */
  readonly position: number;
  /** Node and service id, as far as they can be read. */
  readonly id: string;
  /** Path in Consul's names, as `Service.Port`. */
  readonly field: string;
  readonly reason: string;
}

export interface ParsedAnswer {
  readonly entries: readonly Entry[];
  readonly skipped: readonly SkippedEntry[];
}

/**
 * Reads Consul's answer, which may be anything: a proxy's page, another version's shape, one odd registration. An odd entry is skipped
 * with a note. What is no answer at all is `{ error }`, so that nobody takes it for the empty list: not a list, or not one usable entry.
 */
export function parseAnswer(body: unknown): ParsedAnswer | { readonly error: string } {
  if (!Array.isArray(body)) return { error: `the answer is ${describe(body)} and not a list` };
  const entries = new Map<string, Entry>();
  const skipped: SkippedEntry[] = [];
  for (const [position, value] of (body as unknown[]).entries()) {
    const parsed = parseEntry(value);
    if (parsed instanceof Fault) {
      skipped.push({ position, id: nameOf(value), field: parsed.field, reason: parsed.reason });
    } else if (entries.has(entryId(parsed))) {
      skipped.push({ position, id: entryId(parsed), field: 'Service.ID', reason: 'is in the answer twice' });
    } else {
      entries.set(entryId(parsed), parsed);
    }
  }
  const [first] = skipped;
  if (entries.size === 0 && first !== undefined) {
    return {
      error: `no entry of the answer is usable; the first: ${first.field === '' ? 'it' : first.field} ${first.reason}`,
    };
  }
  return { entries: [...entries.values()], skipped };
}

/** Service ids are unique per agent only. */
export function entryId(entry: Pick<Entry, 'node' | 'serviceId'>): string {
  return `${entry.node}/${entry.serviceId}`;
}

class Fault {
  readonly field: string;
  readonly reason: string;

  constructor(field: string, reason: string) {
    this.field = field;
    this.reason = reason;
  }
}

type Fields = Readonly<Record<string, unknown>>;

function parseEntry(value: unknown): Entry | Fault {
  if (!isFields(value)) return new Fault('', `is ${describe(value)} and not an object`);
  const { Node: node, Service: service, Checks: checkList } = value;
  if (!isFields(node)) return new Fault('Node', `is ${describe(node)} and not an object`);
  if (!isFields(service)) return new Fault('Service', `is ${describe(service)} and not an object`);
  const nodeName = node['Node'];
  if (!isFilled(nodeName)) return new Fault('Node.Node', `is ${describe(nodeName)} and not a name`);
  const serviceId = service['ID'];
  if (!isFilled(serviceId)) return new Fault('Service.ID', `is ${describe(serviceId)} and not an id`);
  const address = parseAddress(service['Address'], node['Address']);
  if (address instanceof Fault) return address;
  const port = service['Port'];
  if (!isWhole(port) || port < 1 || port > 65535)
    return new Fault('Service.Port', `is ${describe(port)} and not 1 to 65535`);
  const tags = service['Tags'] ?? [];
  if (!isTextList(tags)) return new Fault('Service.Tags', 'is not a list of strings');
  const weights = parseWeights(service['Weights']);
  if (weights instanceof Fault) return weights;
  const checks = parseChecks(checkList);
  if (checks instanceof Fault) return checks;
  return { node: nodeName, serviceId, address, port, tags, weights, checks };
}

function parseAddress(ofService: unknown, ofNode: unknown): string | Fault {
  const [field, value] = isEmpty(ofService) ? ['Node.Address', ofNode] : ['Service.Address', ofService];
  if (!isFilled(value)) return new Fault(field, `is ${describe(value)} and not an address`);
  // IP addresses, bracketless IPv6 with a zone included, and host names.
  if (!/^[A-Za-z0-9._:%-]{1,253}$/.test(value)) return new Fault(field, 'is not an IP address or a host name');
  return value;
}

const LARGEST_WEIGHT = 65_535;

/** Both 1 when Consul says nothing, as it assumes itself. */
function parseWeights(value: unknown): Entry['weights'] | Fault {
  if (isEmpty(value)) return { passing: 1, warning: 1 };
  if (!isFields(value)) return new Fault('Service.Weights', `is ${describe(value)} and not an object`);
  const { Passing: passing = 1, Warning: warning = 1 } = value;
  if (!isWhole(passing) || passing < 0)
    return new Fault('Service.Weights.Passing', `is ${describe(passing)} and not a weight`);
  if (!isWhole(warning) || warning < 0)
    return new Fault('Service.Weights.Warning', `is ${describe(warning)} and not a weight`);
  return { passing: Math.min(passing, LARGEST_WEIGHT), warning: Math.min(warning, LARGEST_WEIGHT) };
}

function parseChecks(value: unknown): readonly Check[] | Fault {
  if (isEmpty(value)) return [];
  if (!Array.isArray(value)) return new Fault('Checks', `is ${describe(value)} and not a list`);
  const checks: Check[] = [];
  for (const [i, check] of (value as unknown[]).entries()) {
    if (!isFields(check)) return new Fault(`Checks[${i}]`, `is ${describe(check)} and not an object`);
    const { CheckID: id, Status: status } = check;
    if (typeof id !== 'string') return new Fault(`Checks[${i}].CheckID`, `is ${describe(id)} and not a string`);
    if (!isFilled(status)) return new Fault(`Checks[${i}].Status`, `is ${describe(status)} and not a status`);
    checks.push({
      id,
      name: textOr(check['Name'], id),
      status,
      notes: textOr(check['Notes'], ''),
      ofService: isFilled(check['ServiceID']),
    });
  }
  return checks;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isFilled(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isEmpty(value: unknown): value is undefined | null | '' {
  return value === undefined || value === null || value === '';
}

function isWhole(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value);
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function textOr(value: unknown, fallback: string): string {
  return isFilled(value) ? value : fallback;
}

function nameOf(value: unknown): string {
  if (!isFields(value)) return '';
  const { Node: node, Service: service } = value;
  const parts = [isFields(node) ? node['Node'] : '', isFields(service) ? service['ID'] : ''];
  return parts.map((part) => (typeof part === 'string' ? part : '?')).join('/');
}

/** Never the value of a long string: it goes into logs. */
function describe(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  if (value === '') return 'empty';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return typeof value === 'string' ? 'a string' : 'an object';
}
