import { describe, expect, it } from 'vitest';

import { EndpointState } from '../../../../proto/gen/sluice/v1/snapshot_pb.js';
import { parseAnswer } from './entry.js';
import { toInstances } from './translate.js';

import type { SkippedEntry } from './entry.js';
import type { Instance } from './translate.js';

type Json = Readonly<Record<string, unknown>>;

/** An entry as Consul 1.8 gives it, with changes. */
function entry({ node = {}, service = {}, checks = [] }: { node?: Json; service?: Json; checks?: unknown }): Json {
  return {
    Node: { ID: '9d', Node: 'n1', Address: '10.0.0.1', Datacenter: 'dc1', Meta: null, ...node },
    Service: {
      ID: 'web-1',
      Service: 'web',
      Tags: [],
      Address: '',
      Meta: null,
      Port: 80,
      Weights: { Passing: 3, Warning: 1 },
      ...service,
    },
    Checks: checks,
  };
}

function check(status: string, id = 'service:web-1', notes = ''): Json {
  return { Node: 'n1', CheckID: id, Name: `name of ${id}`, Status: status, Notes: notes, Output: 'HTTP GET: 200' };
}

function instances(body: unknown, tags: readonly string[] = []): readonly Instance[] {
  const parsed = parseAnswer(body);
  if ('error' in parsed) throw new Error(parsed.error);
  expect(parsed.skipped).toEqual([]);
  return toInstances(parsed.entries, tags);
}

function only(value: Json): string {
  const [{ endpoint, standing } = { endpoint: undefined, standing: '' }] = instances([value]);
  if (endpoint === undefined) return 'none';
  const { id, address, port, weight, state, reason } = endpoint;
  return [id, `${address}:${port}`, weight, EndpointState[state], standing, reason].join(' ').trim();
}

describe('an instance', () => {
  it.each<[string, Json, string]>([
    ['with no check', entry({}), 'n1/web-1 10.0.0.1:80 3 ACTIVE serving'],
    ['with its own address', entry({ service: { Address: '10.9.9.9' } }), 'n1/web-1 10.9.9.9:80 3 ACTIVE serving'],
    ['with a host name', entry({ service: { Address: 'web.internal' } }), 'n1/web-1 web.internal:80 3 ACTIVE serving'],
    ['with an IPv6 address', entry({ service: { Address: 'fd00::1' } }), 'n1/web-1 fd00::1:80 3 ACTIVE serving'],
    ['that passes', entry({ checks: [check('passing')] }), 'n1/web-1 10.0.0.1:80 3 ACTIVE serving'],
    [
      'that warns',
      entry({ checks: [check('passing', 'a'), check('warning', 'b')] }),
      'n1/web-1 10.0.0.1:80 1 ACTIVE serving',
    ],
    [
      'that warns with weight 0',
      entry({ service: { Weights: { Passing: 3, Warning: 0 } }, checks: [check('warning')] }),
      'n1/web-1 10.0.0.1:80 0 OUT withdrawn weight 0 while warning',
    ],
    [
      'of weight 0',
      entry({ service: { Weights: { Passing: 0, Warning: 1 } } }),
      'n1/web-1 10.0.0.1:80 0 OUT withdrawn weight 0',
    ],
    [
      'with a critical check among others',
      entry({ checks: [check('passing', 'a'), check('critical', 'b'), check('warning', 'c')] }),
      'n1/web-1 10.0.0.1:80 1 OUT critical critical: name of b',
    ],
    [
      'on a critical node',
      entry({ checks: [check('critical', 'serfHealth'), check('passing')] }),
      'n1/web-1 10.0.0.1:80 3 OUT critical critical: name of serfHealth',
    ],
    [
      'in maintenance',
      entry({ checks: [check('critical', 'other'), check('critical', '_service_maintenance:web-1', 'new disk')] }),
      'n1/web-1 10.0.0.1:80 3 OUT withdrawn maintenance: new disk',
    ],
    [
      'on a node in maintenance',
      entry({ checks: [check('critical', '_node_maintenance')] }),
      'n1/web-1 10.0.0.1:80 3 OUT withdrawn maintenance',
    ],
    [
      'with a status from the future',
      entry({ checks: [check('paused')] }),
      'n1/web-1 10.0.0.1:80 3 OUT critical paused: name of service:web-1',
    ],
    ['without weights', entry({ service: { Weights: null } }), 'n1/web-1 10.0.0.1:80 1 ACTIVE serving'],
    ['with one weight', entry({ service: { Weights: { Passing: 7 } } }), 'n1/web-1 10.0.0.1:80 7 ACTIVE serving'],
    [
      'of enormous weight',
      entry({ service: { Weights: { Passing: 1e9 } } }),
      'n1/web-1 10.0.0.1:80 65535 ACTIVE serving',
    ],
    [
      'without tags and checks',
      entry({ service: { Tags: null }, checks: null }),
      'n1/web-1 10.0.0.1:80 3 ACTIVE serving',
    ],
  ])('%s', (_, value, expected) => {
    expect(only(value)).toBe(expected);
  });

  it.each<[readonly string[], boolean]>([
    [[], true],
    [['v1'], true],
    [['v1', 'blue'], true],
    [['V1', 'BLUE'], true],
    [['v1', 'red'], false],
    [['v'], false],
  ])('with the tags v1 and Blue, when %j are wanted, counts: %s', (tags, counts) => {
    expect(instances([entry({ service: { Tags: ['v1', 'Blue'] } })], tags)).toHaveLength(counts ? 1 : 0);
  });

  it('comes in the order of ids, whatever the order of the answer', () => {
    const ids = ['b', 'a10', 'a9', 'B'];

    const found = instances(ids.map((ID) => entry({ service: { ID } })));

    expect(found.map(({ endpoint }) => endpoint.id)).toEqual(['n1/B', 'n1/a10', 'n1/a9', 'n1/b']);
  });

  it('of the same service id on another node is another one', () => {
    const found = instances([entry({}), entry({ node: { Node: 'n2' } })]);

    expect(found.map(({ endpoint }) => endpoint.id)).toEqual(['n1/web-1', 'n2/web-1']);
  });
});

describe('an odd entry', () => {
  it.each<[unknown, string, string, string]>([
    [7, '', '', 'is 7 and not an object'],
    [null, '', '', 'is null and not an object'],
    [[], '', '', 'is a list and not an object'],
    [{ Service: {} }, '/?', 'Node', 'is missing and not an object'],
    [{ Node: { Node: 'n1' } }, 'n1/', 'Service', 'is missing and not an object'],
    [entry({ node: { Node: '' } }), '/web-1', 'Node.Node', 'is empty and not a name'],
    [entry({ service: { ID: 5 } }), 'n1/?', 'Service.ID', 'is 5 and not an id'],
    [entry({ node: { Address: undefined } }), 'n1/web-1', 'Node.Address', 'is missing and not an address'],
    [entry({ node: { Address: 'a b' } }), 'n1/web-1', 'Node.Address', 'is not an IP address or a host name'],
    [
      entry({ service: { Address: 'http://x/' } }),
      'n1/web-1',
      'Service.Address',
      'is not an IP address or a host name',
    ],
    [entry({ service: { Address: {} } }), 'n1/web-1', 'Service.Address', 'is an object and not an address'],
    [entry({ service: { Port: 0 } }), 'n1/web-1', 'Service.Port', 'is 0 and not 1 to 65535'],
    [entry({ service: { Port: 65536 } }), 'n1/web-1', 'Service.Port', 'is 65536 and not 1 to 65535'],
    [entry({ service: { Port: 80.5 } }), 'n1/web-1', 'Service.Port', 'is 80.5 and not 1 to 65535'],
    [entry({ service: { Port: '80' } }), 'n1/web-1', 'Service.Port', 'is a string and not 1 to 65535'],
    [entry({ service: { Tags: 'v1' } }), 'n1/web-1', 'Service.Tags', 'is not a list of strings'],
    [entry({ service: { Tags: [1] } }), 'n1/web-1', 'Service.Tags', 'is not a list of strings'],
    [entry({ service: { Weights: 3 } }), 'n1/web-1', 'Service.Weights', 'is 3 and not an object'],
    [entry({ service: { Weights: { Passing: -1 } } }), 'n1/web-1', 'Service.Weights.Passing', 'is -1 and not a weight'],
    [
      entry({ service: { Weights: { Warning: 'x' } } }),
      'n1/web-1',
      'Service.Weights.Warning',
      'is a string and not a weight',
    ],
    [entry({ checks: {} }), 'n1/web-1', 'Checks', 'is an object and not a list'],
    [entry({ checks: ['x'] }), 'n1/web-1', 'Checks[0]', 'is a string and not an object'],
    [entry({ checks: [{ Status: 'passing' }] }), 'n1/web-1', 'Checks[0].CheckID', 'is missing and not a string'],
    [
      entry({ checks: [check('passing'), { CheckID: 'x' }] }),
      'n1/web-1',
      'Checks[1].Status',
      'is missing and not a status',
    ],
  ])('%j is skipped with a note, and its neighbours stay', (value, id, field, reason) => {
    const parsed = parseAnswer([entry({ service: { ID: 'a' } }), value, entry({ service: { ID: 'b' } })]);

    expect(parsed).toMatchObject({ entries: [{ serviceId: 'a' }, { serviceId: 'b' }] });
    expect(parsed).toHaveProperty('skipped', [{ position: 1, id, field, reason } satisfies SkippedEntry]);
  });

  it('that repeats an id is skipped', () => {
    expect(parseAnswer([entry({}), entry({})])).toMatchObject({
      entries: [{ serviceId: 'web-1' }],
      skipped: [{ position: 1, id: 'n1/web-1', field: 'Service.ID', reason: 'is in the answer twice' }],
    });
  });
});

describe('an answer', () => {
  it.each<[unknown, string]>([
    [undefined, 'the answer is missing and not a list'],
    [null, 'the answer is null and not a list'],
    ['[]', 'the answer is a string and not a list'],
    [{}, 'the answer is an object and not a list'],
    [[7, {}], 'no entry of the answer is usable; the first: it is 7 and not an object'],
    [[{}], 'no entry of the answer is usable; the first: Node is missing and not an object'],
  ])('%j is none', (body, error) => {
    expect(parseAnswer(body)).toEqual({ error });
  });

  it('may be the empty list', () => {
    expect(parseAnswer([])).toEqual({ entries: [], skipped: [] });
  });
});
