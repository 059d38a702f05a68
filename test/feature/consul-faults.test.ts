import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { SourceState } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { testCertificate } from './consul-certificate.js';
import { answer, ConsulDouble, entry } from './consul-double.js';
import { consul, Watches } from './consul-watch.js';

import type { ConsulOptions } from '../../control-plane/registry/consul/consul.js';
import type { Scripted } from './consul-double.js';
import type { Watch } from './consul-watch.js';

const three = [entry('1', 7001), entry('2', 7002), entry('3', 7003)];
const timing = { minBackoffMs: 20, maxBackoffMs: 50 };

let double: ConsulDouble;
const watches = new Watches();
beforeEach(async () => {
  double = await ConsulDouble.start();
});
afterEach(async () => {
  await watches.close();
  await double.close();
});

/** Watches services that each have three instances, and waits until they are known. */
async function watch(services: readonly string[] = ['web'], options: Partial<ConsulOptions> = {}): Promise<Watch> {
  double.set(100, Object.fromEntries(services.map((service) => [service, three])));
  const watched = watches.start(
    double.url,
    services.map((service) => consul(service)),
    {
      ...options,
      timing: { ...timing, ...options.timing },
    },
  );
  await watched.heard.until(({ reports }) => reports.length === services.length);
  await vi.waitFor(() => expect(double.asked).toHaveLength(services.length * 2));
  return watched;
}

function breakWith(scripted: Scripted): void {
  double.script = () => scripted;
  double.wake();
}

function mend(): void {
  double.script = null;
  double.wake();
}

function indexes(): (string | null)[] {
  return double.asked.map(({ query }) => query.get('index'));
}

describe('an answer that is none', () => {
  it.each<[string, Scripted, string | RegExp]>([
    ['429', { status: 429, body: '' }, 'Consul answered 429'],
    [
      '400',
      { status: 400, headers: { 'content-type': 'text/plain' }, body: 'Invalid index' },
      'Consul answered 400: Invalid index',
    ],
    ['404', { status: 404, body: 'not here' }, 'Consul answered 404'],
    ['a redirect', { status: 302, headers: { location: '/login' }, body: '' }, 'Consul answered 302'],
    [
      '500 without a leader',
      { status: 500, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: 'No cluster leader' },
      'Consul answered 500: No cluster leader',
    ],
    [
      'an empty list from a server without a leader',
      answer(1, [], { 'x-consul-knownleader': 'false' }),
      'Consul has no leader',
    ],
    [
      'an empty list without an index',
      { headers: { 'content-type': 'application/json' }, body: '[]' },
      /X-Consul-Index/,
    ],
    ['an empty list with an odd index', answer(1, [], { 'x-consul-index': '-7' }), /X-Consul-Index/],
    ['broken JSON', { headers: { 'content-type': 'application/json', 'x-consul-index': '7' }, body: '[{' }, /no JSON/],
    [
      'a page',
      { headers: { 'content-type': 'text/html', 'x-consul-index': '7' }, body: '<html>' },
      /a string and not a list/,
    ],
    ['null', answer(101, null), /null and not a list/],
    ['an object', answer(101, { error: 'x' }), /an object and not a list/],
    [
      'a list of which nothing is usable',
      answer(101, [{}, 7]),
      /no entry of the answer is usable; the first: Node is missing/,
    ],
    ['half an answer', 'cut', /broke within the answer/],
  ])('%s empties nothing, is retried and named', async (_, scripted, reason) => {
    const { heard, events, registry } = await watch();

    breakWith(scripted);
    await vi.waitFor(() => expect(events).toHaveLength(1));
    expect(events[0]).toMatchObject({ kind: 'failing', reason: expect.stringMatching(reason) });
    expect(registry.status().state).toBe(SourceState.STALE);
    await vi.waitFor(() => expect(double.asked.length).toBeGreaterThan(3));
    mend();
    await vi.waitFor(() => expect(registry.status()).toEqual({ state: SourceState.UP, staleMs: 0 }));

    expect(heard.reports).toHaveLength(1);
    expect(events.map(({ kind }) => kind)).toEqual(['failing', 'recovered']);
  });

  it('that never comes ends when its wait is over', async () => {
    const { heard, events, registry } = await watch(['web'], {
      timing: { waitMs: 160, graceMs: 50, readTimeoutMs: 100 },
    });

    breakWith('hang');
    await vi.waitFor(() => expect(registry.status().state).toBe(SourceState.STALE));
    mend();
    await vi.waitFor(() => expect(registry.status().state).toBe(SourceState.UP), { timeout: 3_000 });

    expect(events[0]).toMatchObject({ reason: expect.stringMatching(/^Consul did not answer within \d+ ms$/) });
    expect(heard.reports).toHaveLength(1);
  });

  it('backs off: a dead Consul is not asked without end', async () => {
    const { events } = await watch(['web'], { timing: { minBackoffMs: 100, maxBackoffMs: 1_000 } });
    breakWith({ status: 500, body: '' });
    const before = double.asked.length;

    await sleep(1_000);

    // Waits of 50, 100, 200, 400 ms on average, whatever the jitter no more than the bucket lets through.
    expect(double.asked.length - before).toBeLessThan(13);
    expect(events).toHaveLength(1);
  });
});

describe('the index', () => {
  it('is asked for from the start again after a failure, as the state may be another one', async () => {
    const { heard } = await watch();

    breakWith({ status: 500, body: '' });
    await vi.waitFor(() => expect(double.asked.length).toBeGreaterThan(2));
    double.set(3, { web: [entry('1', 7001), entry('2', 7002)] });
    mend();
    await heard.until(() => heard.last('web')?.length === 2);
    await vi.waitFor(() => expect(indexes().at(-1)).toBe('3'));

    expect(indexes().slice(0, 3)).toEqual([null, '100', null]);
  });

  it('that goes back is followed from 0, and changes are seen at once after it', async () => {
    const { heard } = await watch();

    double.set(50, { web: three });
    await vi.waitFor(() => expect(indexes()).toEqual([null, '100', null, '50']));
    double.set(51, { web: three.slice(1) });
    await heard.until(() => heard.last('web')?.length === 2);

    expect(heard.reports).toHaveLength(2);
  });

  it('that goes back with the instances gone holds them as suspect', async () => {
    const { heard, events } = await watch();

    double.set(50, { web: [] });
    await heard.until(() => heard.reports.length === 2);

    expect(heard.standing('web')).toEqual(['n/1 SUSPECT', 'n/2 SUSPECT', 'n/3 SUSPECT']);
    expect(events).toEqual([{ kind: 'held', service: 'web', count: 3, reason: 'the index went back from 100 to 50' }]);
  });

  it('0 counts as 1, so that the next query blocks', async () => {
    double.set(0, { web: three });
    const { heard } = watches.start(double.url, [consul('web')]);
    await heard.until(() => heard.reports.length === 1);
    double.script = (asked) => (asked.query.get('index') === '1' ? 'hang' : answer(0, three));

    await sleep(400);

    expect(indexes().at(-1)).toBe('1');
    expect(double.asked.length).toBeLessThan(8);
  });

  it('that moves with every answer makes no storm of queries and reports nothing', async () => {
    const { heard } = await watch();
    let index = 101;
    const before = double.asked.length;

    double.script = () => answer(index++, three);
    double.wake();
    await sleep(1_000);

    expect(double.asked.length - before).toBeLessThan(15);
    expect(heard.reports).toHaveLength(1);
  });
});

describe('instances that are missing from a good answer', () => {
  it('are gone at once when one service loses them all and its index moved', async () => {
    const { heard, events } = await watch(['web', 'api', 'jobs']);

    double.set(101, { web: [] });
    await heard.until(() => heard.last('web')?.length === 0);

    expect(events).toEqual([]);
  });

  it('are held when several services lose all of theirs at once', async () => {
    const { heard, events } = await watch(['web', 'api', 'jobs']);

    double.set(101, { web: [], api: [], jobs: [] });
    await heard.until(() => ['web', 'api', 'jobs'].every((service) => heard.standing(service)?.[0] === 'n/1 SUSPECT'));

    expect(['web', 'api', 'jobs'].map((service) => heard.last(service)?.length)).toEqual([3, 3, 3]);
    expect(events).toHaveLength(3);
    expect(events[0]).toMatchObject({ kind: 'held', count: 3, reason: 'several services vanished at once' });
  });

  it('are held when the server says that the token may not see all', async () => {
    const { heard } = await watch();

    double.script = () => answer(101, [], { 'x-consul-results-filtered-by-acls': 'true' });
    double.wake();
    await heard.until(() => heard.reports.length === 2);

    expect(heard.standing('web')).toEqual(['n/1 SUSPECT', 'n/2 SUSPECT', 'n/3 SUSPECT']);
  });
});

describe('a hold', () => {
  it('does not end while Consul is gone', async () => {
    const { heard, registry } = await watch(['web'], { timing: { holdMs: 150 } });
    double.set(101, {
      web: [entry('1', 7001, 'critical'), entry('2', 7002, 'critical'), entry('3', 7003, 'critical')],
    });
    await heard.until(() => heard.standing('web')?.[0] === 'n/1 SUSPECT');

    breakWith({ status: 500, body: '' });
    await vi.waitFor(() => expect(registry.status().state).toBe(SourceState.STALE));
    await sleep(300);
    expect(heard.standing('web')?.[0]).toBe('n/1 SUSPECT');
    mend();
    await heard.until(() => heard.standing('web')?.[0] === 'n/1 OUT');

    expect(heard.standing('web')).toEqual(['n/1 OUT', 'n/2 OUT', 'n/3 OUT']);
  });
});

describe('a stale answer', () => {
  it('that is too old is not used: the leader is asked', async () => {
    const { heard } = await watch();

    double.script = ({ query }) =>
      query.has('stale') ? answer(101, [], { 'x-consul-lastcontact': '9000' }) : answer(101, three.slice(0, 2));
    double.wake();
    await heard.until(() => heard.reports.length === 2);

    expect(heard.last('web')).toHaveLength(2);
    expect(double.asked.slice(0, 2).every(({ query }) => query.has('stale'))).toBe(true);
  });
});

describe('one odd instance', () => {
  it('is left out with a note, and the others count', async () => {
    const { heard, events } = await watch();

    double.set(101, { web: [...three, { ...entry('4', 0) }] });
    await vi.waitFor(() => expect(events).toHaveLength(1));

    expect(events[0]).toEqual({
      kind: 'skipped',
      consulService: 'web',
      entries: [{ position: 3, id: 'n/4', field: 'Service.Port', reason: 'is 0 and not 1 to 65535' }],
    });
    expect(heard.reports).toHaveLength(1);
  });
});

describe('queries', () => {
  it('are shared by services of one Consul service and datacenter, and carry the token', async () => {
    double.set(100, { web: three });
    const wanted = ['a', 'b', 'c'].map((service) => ({
      ...consul('web', service === 'c' ? { datacenter: 'dc2' } : {}),
      service,
    }));
    const { heard } = watches.start(double.url, wanted, { token: 'secret', datacenter: 'dc1' });
    await heard.until(() => heard.reports.length === 3);

    const first = double.asked.filter(({ query }) => !query.has('index'));
    expect(first.map(({ query, token }) => [query.get('dc'), token])).toEqual([
      ['dc1', 'secret'],
      ['dc2', 'secret'],
    ]);
  });

  it('end when nobody wants them any more, and when the registry is closed', async () => {
    const { registry } = await watch(['web', 'api']);
    const blocking = double.asked.filter(({ query }) => query.has('index'));
    const open = (): string[] =>
      blocking.filter((asked) => asked.isOpen()).map(({ path }) => path.split('/').at(-1) ?? '');
    expect(open().toSorted()).toEqual(['api', 'web']);

    registry.want([consul('api')]);
    await vi.waitFor(() => expect(open()).toEqual(['api']));
    await registry.close();
    await vi.waitFor(() => expect(open()).toEqual([]));

    expect(double.asked).toHaveLength(4);
  });
});

describe('over TLS', () => {
  let secure: ConsulDouble;
  beforeEach(async () => {
    secure = await ConsulDouble.start(testCertificate);
    secure.set(100, { web: three });
  });
  afterEach(() => secure.close());

  it('Consul is believed when the given certificate signed it', async () => {
    const address = `https://127.0.0.1:${secure.port}`;

    const { heard } = watches.start(address, [consul('web')], { caPem: testCertificate.cert });
    await heard.until(() => heard.last('web')?.length === 3);

    expect(secure.asked[0]?.path).toBe('/v1/health/service/web');
  });

  it('Consul is not believed otherwise', async () => {
    const { events } = watches.start(`https://127.0.0.1:${secure.port}`, [consul('web')], { timing });
    await vi.waitFor(() => expect(events).toHaveLength(1));

    expect(events[0]).toMatchObject({ reason: 'Consul cannot be read: self-signed certificate' });
    expect(secure.asked).toEqual([]);
  });
});

it('a Consul under a path of a proxy is asked there', async () => {
  double.set(100, { web: three });
  const { heard } = watches.start(`${double.url}/behind/`, [consul('web')]);
  await heard.until(() => heard.last('web')?.length === 3);

  expect(double.asked[0]?.path).toBe('/behind/v1/health/service/web');
});

describe('options', () => {
  it.each([
    [{ address: 'localhost' }, /^Consul address "localhost" is not of the form/],
    [{ address: 'ftp://127.0.0.1' }, /^Consul address "ftp:/],
    [{ address: '' }, /^Consul address "" is not/],
    [{ token: 'a\r\nb' }, /^Consul token has a character/],
    [{ caPem: 'not a certificate' }, /^Consul CA is not a PEM certificate/],
  ])('%j is refused by name', (options, reason) => {
    expect(() => watches.start(double.url, [], options)).toThrow(reason);
  });
});
