import { describe, expect, it } from 'vitest';
import type { Transport } from '../upstream/transport.js';
import { Endpoint, weightedRoundRobin } from './balancer.js';

const noTransport = {} as Transport;
const make = (weights: number[]): Endpoint[] =>
  weights.map(
    (weight, i) =>
      new Endpoint({ id: `e${i}`, address: '127.0.0.1', port: 9000 + i, weight, suspect: false }, '', noTransport),
  );

function counts(endpoints: Endpoint[], picks: number, random = () => 0): number[] {
  const picker = weightedRoundRobin(endpoints, random);
  const seen = endpoints.map(() => 0);
  for (let i = 0; i < picks; i++) {
    const picked = picker.pick(0, []);
    if (picked !== null) seen[endpoints.indexOf(picked)] = (seen[endpoints.indexOf(picked)] ?? 0) + 1;
  }
  return seen;
}

describe('weighted round robin', () => {
  it.each([
    { weights: [3, 1, 1], picks: 500, want: [300, 100, 100] },
    { weights: [5, 0, 5], picks: 100, want: [50, 0, 50] },
    { weights: [1], picks: 7, want: [7] },
    { weights: [0, 0], picks: 7, want: [0, 0] },
    { weights: [], picks: 3, want: [] },
  ])('gives $weights its shares $want of $picks', ({ weights, picks, want }) => {
    expect(counts(make(weights), picks)).toEqual(want);
    expect(counts(make(weights), picks, () => 0.7)).toEqual(want);
  });

  it('gives a thousand endpoints their shares from a precomputed cycle', () => {
    const weights = Array.from({ length: 1_000 }, (_, i) => (i % 3) + 1);

    expect(counts(make(weights), 2 * 1_999)).toEqual(weights.map((weight) => weight * 2));
  });

  it('interleaves instead of sending runs to the heaviest', () => {
    const picker = weightedRoundRobin(make([5, 1, 1]), () => 0);
    const order = Array.from({ length: 7 }, () => picker.pick(0, [])?.id);

    expect(order).toEqual(['e0', 'e0', 'e1', 'e0', 'e2', 'e0', 'e0']);
  });

  it('starts replicas at different places of the cycle', () => {
    const firsts = [0, 0.3, 0.6, 0.9].map(
      (random) => weightedRoundRobin(make([5, 4, 1]), () => random).pick(0, [])?.id,
    );

    expect(new Set(firsts).size).toBeGreaterThan(1);
  });

  it('keeps everybody’s turn when the picker is rebuilt', () => {
    const endpoints = make([1, 1, 1, 1]);
    const seen = endpoints.map(() => 0);
    for (let i = 0; i < 400; i++) {
      const picked = weightedRoundRobin(endpoints, () => 0).pick(0, []);
      if (picked !== null) seen[endpoints.indexOf(picked)] = (seen[endpoints.indexOf(picked)] ?? 0) + 1;
    }

    expect(seen).toEqual([100, 100, 100, 100]);
  });

  it.each([[4], [300]])('leaves out who is ejected, of %i endpoints', (n) => {
    const endpoints = make(Array.from({ length: n }, () => 1));
    const sick = endpoints[1] as Endpoint;
    sick.health.ejectedUntilMs = 1_000;
    const picker = weightedRoundRobin(endpoints, () => 0);

    const early = Array.from({ length: 2 * n }, () => picker.pick(500, []));
    const late = Array.from({ length: 2 * n }, () => picker.pick(1_000, []));

    expect(early).not.toContain(sick);
    expect(late).toContain(sick);
  });

  it.each([[3], [300]])('ignores ejections when fewer than half of %i endpoints are left', (n) => {
    const endpoints = make(Array.from({ length: n }, () => 1));
    for (const endpoint of endpoints.slice(1)) endpoint.health.ejectedUntilMs = 1_000;
    const picker = weightedRoundRobin(endpoints, () => 0);

    expect(new Set(Array.from({ length: 2 * n }, () => picker.pick(0, []))).size).toBe(n);
  });

  it.each([[2], [300]])('takes a tried one of %i again only when no other is left', (n) => {
    const endpoints = make(Array.from({ length: n }, () => 1));
    const picker = weightedRoundRobin(endpoints, () => 0);
    const first = endpoints[0] as Endpoint;

    expect(Array.from({ length: 2 * n }, () => picker.pick(0, [first]))).not.toContain(first);
    expect(picker.pick(0, endpoints)).not.toBeNull();
  });
});
