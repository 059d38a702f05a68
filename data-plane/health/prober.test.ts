import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { Endpoint } from '../balancer/balancer.js';
import type { ActiveHealthSettings, RunningService, ServiceSettings } from '../runtime/runtime.js';
import type { Transport } from '../upstream/transport.js';
import { Upstream } from '../upstream/upstream.js';
import { isDown, Prober, reportConnectFailure, reportSuccess, type ProberOptions } from './health.js';

const always: ActiveHealthSettings = {
  probe: { kind: 'tcp' },
  intervalMs: 5_000,
  timeoutMs: 1_000,
  rise: 2,
  fall: 3,
  when: 'always',
};
const suspect: ActiveHealthSettings = { ...always, when: 'suspect' };
const http: ActiveHealthSettings = { ...always, probe: { kind: 'http', path: '/healthz', host: '', statuses: [] } };

const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** A prober whose clock and whose probes' outcomes are the test's. */
class Bench {
  nowMs = 1_000_000;
  random = 0.5;
  silent = false;
  activeHealth: ActiveHealthSettings | null;
  /** Gives the outcome of a probe; passes when it returns. */
  outcome: (endpoint: Endpoint, signal: AbortSignal) => Promise<void> = async () => undefined;
  /** When and whom. */
  readonly probes: { readonly atMs: number; readonly id: string }[] = [];
  readonly logged: string[] = [];
  readonly upstream = new Upstream(
    () => ({ close: async () => undefined }) as unknown as Transport,
    80,
    () => 0,
  );
  readonly prober: Prober;
  readonly #startMs = this.nowMs;

  constructor(endpoints: number, activeHealth: ActiveHealthSettings, options: Partial<ProberOptions> = {}) {
    this.activeHealth = activeHealth;
    this.setEndpoints(endpoints);
    this.prober = new Prober({
      services: () => this.#services(),
      registryIsSilent: () => this.silent,
      probe: (_, endpoint, __, signal) => {
        this.probes.push({ atMs: this.nowMs - this.#startMs, id: endpoint.id });
        return this.outcome(endpoint, signal);
      },
      nowMs: () => this.nowMs,
      random: () => this.random,
      log: {
        info: (message) => this.logged.push(message),
        warn: (message, fields) => this.logged.push(`${message}: ${String(fields['reason'])}`),
      },
      ...options,
    });
    closing.push(() => this.prober.close());
  }

  get times(): number[] {
    return this.probes.map(({ atMs }) => atMs);
  }

  endpoint(index = 0): Endpoint {
    return this.upstream.endpoints[index] as Endpoint;
  }

  setEndpoints(count: number): void {
    const addresses = Array.from({ length: count }, (_, i) => ({
      id: `e${i}`,
      address: '127.0.0.1',
      port: i + 1,
      weight: 1,
      suspect: false,
    }));
    this.upstream.setEndpoints(addresses);
  }

  eject(index = 0): void {
    for (let i = 0; i < 20; i++) reportConnectFailure(this.endpoint(index), this.upstream.endpoints, this.nowMs);
  }

  /** Lets the time pass in ticks. */
  async pass(ms: number): Promise<void> {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; this.nowMs += 100) {
      this.prober.look();
      await turn();
    }
  }

  #services(): RunningService[] {
    const settings: ServiceSettings = {
      name: 'app',
      protocol: 'http',
      speaksGrpc: false,
      path: '',
      host: '',
      tls: null,
      activeHealth: this.activeHealth,
    };
    return [{ settings, upstream: this.upstream }];
  }
}

const refuse = (): Promise<void> => Promise.reject(new Error('refused'));

describe('the prober', () => {
  it.each([
    { random: 0, first: 0, pause: 4_000 },
    { random: 0.5, first: 2_500, pause: 5_000 },
    { random: 0.999, first: 5_000, pause: 6_000 },
  ])(
    'with luck $random sends the first probe at $first and then one each $pause ms',
    async ({ random, first, pause }) => {
      const bench = new Bench(1, always);
      bench.random = random;

      await bench.pass(20_000);

      const wanted = Array.from({ length: Math.ceil((20_000 - first) / pause) }, (_, i) => first + i * pause);
      expect(bench.times).toEqual(wanted);
    },
  );

  it('probes faster while an endpoint is about to go, or to come back', async () => {
    const bench = new Bench(1, always);
    bench.outcome = refuse;

    await bench.pass(10_000);
    bench.outcome = async () => undefined;
    await bench.pass(10_000);

    expect(bench.times).toEqual([2_500, 3_500, 4_500, 9_500, 14_500, 15_500]);
    expect(bench.logged).toEqual(['endpoint is down: refused', 'endpoint is back']);
  });

  it('asked for suspects, probes those in doubt only: ejected, down or failing', async () => {
    const bench = new Bench(3, suspect);
    await bench.pass(20_000);
    expect(bench.probes).toEqual([]);

    bench.eject(1);
    bench.endpoint(1).health.ejectedUntilMs = bench.nowMs + 3_000;
    bench.outcome = refuse;
    await bench.pass(20_000);
    bench.outcome = async () => undefined;
    await bench.pass(20_000);

    expect(new Set(bench.probes.map(({ id }) => id))).toEqual(new Set(['e1']));
    expect(bench.logged).toEqual(['endpoint is down: refused', 'endpoint is back']);
    const before = bench.probes.length;
    await bench.pass(20_000);
    expect(bench.probes).toHaveLength(before);
  });

  it('holds for suspects those that the registry doubts, and all of them while nothing is heard of it', async () => {
    const bench = new Bench(2, suspect);
    bench.endpoint(1).suspect = true;

    await bench.pass(10_000);
    const doubted = new Set(bench.probes.splice(0).map(({ id }) => id));
    bench.silent = true;
    await bench.pass(10_000);

    expect(doubted).toEqual(new Set(['e1']));
    expect(new Set(bench.probes.map(({ id }) => id))).toEqual(new Set(['e0', 'e1']));
  });

  it.each([
    { what: 'a suspect', settings: suspect, skips: true },
    { what: 'anybody by connecting', settings: always, skips: true },
    { what: 'everybody by asking', settings: http, skips: false },
  ])('probing $what, leaves out whose requests succeed: $skips', async ({ settings, skips }) => {
    const bench = new Bench(1, settings);
    bench.endpoint().suspect = true;

    for (let i = 0; i < 10; i++) {
      reportSuccess(bench.endpoint());
      await bench.pass(1_000);
    }
    const during = bench.probes.length;
    await bench.pass(15_000);

    expect(during > 0).toBe(!skips);
    expect(bench.probes.length).toBeGreaterThan(during);
  });

  it('has no more probes on their way than it may, and lets the longest waiting go first', async () => {
    const bench = new Bench(9, always, { maxInFlight: 3 });
    const finish: (() => void)[] = [];
    bench.outcome = (_, signal) =>
      new Promise((resolve, reject) => {
        finish.push(resolve);
        signal.addEventListener('abort', reject);
      });

    await bench.pass(5_000);
    const first = bench.probes.map(({ id }) => id);
    for (const done of finish.splice(0)) done();
    await turn();
    await bench.pass(100);
    for (const done of finish.splice(0)) done();
    await turn();
    await bench.pass(100);

    expect(first).toHaveLength(3);
    expect(new Set(bench.probes.map(({ id }) => id)).size).toBe(9);
  });

  it('does not probe who has left, and starts anew with who comes back', async () => {
    const bench = new Bench(2, always);
    await bench.pass(5_000);

    bench.setEndpoints(1);
    bench.probes.length = 0;
    await bench.pass(20_000);

    expect(bench.probes.length).toBeGreaterThan(0);
    expect(new Set(bench.probes.map(({ id }) => id))).toEqual(new Set(['e0']));
  });

  it('takes new settings at once and keeps what it knows', async () => {
    const bench = new Bench(1, { ...always, intervalMs: 3_600_000 });
    bench.outcome = refuse;
    await bench.pass(1_000);
    bench.activeHealth = { ...always, intervalMs: 1_000 };
    await bench.pass(4_000);
    expect(isDown(bench.endpoint())).toBe(true);

    bench.activeHealth = { ...http, intervalMs: 500 };
    await bench.pass(100);

    expect(isDown(bench.endpoint())).toBe(true);
    expect(bench.times.length).toBeGreaterThanOrEqual(3);
  });

  it('lets everybody back when the service is not to be probed any more', async () => {
    const bench = new Bench(1, { ...always, intervalMs: 1_000 });
    bench.outcome = refuse;
    await bench.pass(5_000);
    expect(isDown(bench.endpoint())).toBe(true);

    bench.activeHealth = null;
    await bench.pass(100);

    expect(isDown(bench.endpoint())).toBe(false);
  });

  it('ends a probe that takes too long, and says so', async () => {
    const bench = new Bench(1, { ...always, timeoutMs: 5, fall: 1 });
    bench.random = 0;
    bench.outcome = (_, signal) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('other'))));

    bench.prober.look();
    await new Promise((resolve) => setTimeout(resolve, 50));

    expect(bench.logged).toEqual(['endpoint is down: no answer within 5 ms']);
  });

  it('breaks off at its close what is on its way, and blames nobody', async () => {
    const bench = new Bench(1, { ...always, fall: 1 });
    bench.random = 0;
    let ended = false;
    bench.outcome = (_, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          ended = true;
          reject(new Error('ended'));
        });
      });
    bench.prober.look();

    await bench.prober.close();

    expect(ended).toBe(true);
    expect(bench.logged).toEqual([]);
    expect(isDown(bench.endpoint())).toBe(false);
  });
});

describe('the probers of one node', () => {
  /** Benches with one clock, each telling the others. */
  const fleet = (count: number, settings: ActiveHealthSettings): Bench[] => {
    const benches: Bench[] = [];
    for (let i = 0; i < count; i++) {
      const tell: ProberOptions['tell'] = (news) => {
        for (const each of benches) if (each !== benches[i]) each.prober.hear(news);
      };
      benches.push(Object.assign(new Bench(2, settings, { tell }), { random: i / count }));
    }
    return benches;
  };
  const pass = async (benches: readonly Bench[], ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 100) for (const bench of benches) await bench.pass(100);
  };
  const sent = (benches: readonly Bench[]): number => benches.reduce((sum, { probes }) => sum + probes.length, 0);

  it('send hardly more probes than one would alone', async () => {
    const [alone, together] = [fleet(1, always), fleet(4, always)];

    await pass(alone, 100_000);
    await pass(together, 100_000);

    expect(sent(together)).toBeGreaterThanOrEqual(sent(alone));
    expect(sent(together)).toBeLessThanOrEqual(sent(alone) * 1.25 + 2);
  });

  it('find an endpoint down and back together, as fast as one would, and one of them says so', async () => {
    const benches = fleet(3, { ...always, intervalMs: 1_000 });
    const downs = (): string => benches.map((each) => isDown(each.endpoint())).join();
    for (const bench of benches) bench.outcome = (endpoint) => (endpoint.id === 'e0' ? refuse() : Promise.resolve());

    await pass(benches, 4_000);
    expect(downs()).toBe('true,true,true');
    expect(benches.flatMap(({ logged }) => logged)).toEqual(['endpoint is down: refused']);

    for (const bench of benches) bench.outcome = async () => undefined;
    await pass(benches, 4_000);
    expect(downs()).toBe('false,false,false');
  });

  it('all gain from the doubts of one: who is ejected there is probed, and back in time', async () => {
    const [first, second] = fleet(2, suspect) as [Bench, Bench];
    first.eject();

    await pass([first, second], 20_000);

    expect(first.probes.length).toBeGreaterThan(0);
    expect(second.probes).toEqual([]);
    expect(first.endpoint().health.ejectedUntilMs).toBe(0);
  });

  it('go on when the one that sent a probe does not say how it ended', async () => {
    const [, second] = fleet(2, always) as [Bench, Bench];

    second.prober.hear({ service: 'app', endpoint: 'e0', stage: 'sent' });
    await second.pass(10_000);

    expect(second.probes.filter(({ id }) => id === 'e0').length).toBeGreaterThan(0);
  });

  it('take no notice of news about what they do not have', async () => {
    const [bench] = fleet(1, always) as [Bench];

    for (const [service, endpoint] of [
      ['app', 'e7'],
      ['other', 'e0'],
    ] as const)
      bench.prober.hear({ service, endpoint, stage: 'failed' });

    expect(bench.endpoint().health.probes.failures).toBe(0);
  });
});
