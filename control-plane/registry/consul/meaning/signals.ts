/** What a signal says of each name, in an opaque form: another text means a change. */
export type Marks = ReadonlyMap<string, string>;

/** Names whose mark is another one, or is there on one side only. */
export function changedNames(before: Marks, after: Marks): ReadonlySet<string> {
  const changed = new Set<string>();
  for (const [name, mark] of after) {
    if (before.get(name) !== mark) changed.add(name);
  }
  for (const name of before.keys()) {
    if (!after.has(name)) changed.add(name);
  }
  return changed;
}

export interface CheckMarks {
  /** By service, the checks of its instances. */
  readonly services: Marks;
  /** By node, its own checks, which count for every instance on it. */
  readonly nodes: Marks;
}

/** Of the answer of `/v1/health/state/any`; null when it is not such an answer. Odd checks count as nothing. */
export function markChecks(body: unknown): CheckMarks | null {
  if (!Array.isArray(body)) return null;
  const services = new Map<string, string>();
  const nodes = new Map<string, string>();
  for (const check of body as unknown[]) {
    const { Node, ServiceName, ServiceID, CheckID, Status, Notes } = fieldsOf(check);
    if (typeof Node !== 'string' || typeof CheckID !== 'string') continue;
    const mark = JSON.stringify([Node, ServiceID, CheckID, Status, Notes]);
    if (typeof ServiceName === 'string' && ServiceName !== '') append(services, ServiceName, mark);
    else append(nodes, Node, mark);
  }
  return { services, nodes };
}

/** Of the answer of `/v1/catalog/services`: by service, its tags. Null when it is not such an answer. */
export function markServices(body: unknown): Marks | null {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return null;
  return new Map(Object.entries(body).map(([name, tags]) => [name, JSON.stringify(tags)]));
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function append(marks: Map<string, string>, name: string, mark: string): void {
  marks.set(name, (marks.get(name) ?? '') + mark);
}
