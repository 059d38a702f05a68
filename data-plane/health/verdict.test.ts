import { describe, expect, it } from 'vitest';
import { Endpoint } from '../balancer/balancer.js';
import type { ActiveHealthSettings } from '../runtime/runtime.js';
import type { Transport } from '../upstream/transport.js';
import { reportConnectFailure, reportServerError, reportSuccess } from './health.js';
import { forgetProbes, isDown, isInTransition, isOut, probeFailed, probePassed } from './verdict.js';

const settings: ActiveHealthSettings = {
  probe: { kind: 'tcp' },
  intervalMs: 5_000,
  timeoutMs: 1_000,
  rise: 2,
  fall: 3,
  when: 'always',
};
const http: ActiveHealthSettings = { ...settings, probe: { kind: 'http', path: '/', host: '', statuses: [] } };
const make = (): Endpoint =>
  new Endpoint({ id: 'e', address: '127.0.0.1', port: 1, weight: 1, suspect: false }, '', {} as Transport);
const siblings = (endpoint: Endpoint): Endpoint[] => [endpoint, make(), make()];

/** `p` passes and `f` fails; gives what the endpoint was after each. */
function after(outcomes: string, endpoint = make()): string {
  return [...outcomes]
    .map((outcome) => {
      if (outcome === 'p') probePassed(endpoint, settings, 0);
      else probeFailed(endpoint, settings);
      return isDown(endpoint) ? 'D' : 'U';
    })
    .join('');
}

describe('probes', () => {
  it.each([
    { outcomes: 'ffff', states: 'UUDD' },
    { outcomes: 'ffpff', states: 'UUUUU' },
    { outcomes: 'fffpp', states: 'UUDDU' },
    { outcomes: 'fffpfpp', states: 'UUDDDDU' },
    { outcomes: 'fffppffpfff', states: 'UUDDUUUUUUD' },
    { outcomes: 'ppppfff', states: 'UUUUUUD' },
  ])('with rise 2 and fall 3 make of $outcomes $states', ({ outcomes, states }) => {
    expect(after(outcomes)).toBe(states);
  });

  it('say when they have changed something, and only then', () => {
    const endpoint = make();

    const failed = [1, 2, 3, 4].map(() => probeFailed(endpoint, settings));
    const passed = [1, 2, 3].map(() => probePassed(endpoint, settings, 0));

    expect(failed).toEqual([false, false, true, false]);
    expect(passed).toEqual([false, true, false]);
  });

  it('end an ejection early, whatever they had shown before it, and clear what led to it', () => {
    const endpoint = make();
    for (let i = 0; i < 10; i++) probePassed(endpoint, http, 0);
    for (let i = 0; i < 5; i++) reportServerError(endpoint, siblings(endpoint), 0);

    expect(isOut(endpoint, 0)).toBe(true);
    expect(probePassed(endpoint, http, 100)).toBe(false);
    expect(probePassed(endpoint, http, 200)).toBe(true);
    expect(endpoint.health).toMatchObject({ ejectedUntilMs: 0, serverErrors: 0 });
  });

  it('do not shorten the next ejection of an endpoint that fails in spite of them', () => {
    const endpoint = make();
    const fail = (): void => void [1, 2, 3, 4, 5].map(() => reportServerError(endpoint, siblings(endpoint), 0));
    fail();
    probePassed(endpoint, http, 0);
    probePassed(endpoint, http, 0);

    fail();

    expect(endpoint.health.ejectedUntilMs).toBe(20_000);
  });

  it('that only connect end an ejection for connections, not one for error answers', () => {
    const refusing = make();
    const failing = make();
    for (let i = 0; i < 2; i++) reportConnectFailure(refusing, siblings(refusing), 0);
    for (let i = 0; i < 5; i++) reportServerError(failing, siblings(failing), 0);

    after('pp', refusing);
    after('pp', failing);

    expect(isOut(refusing, 0)).toBe(false);
    expect(isOut(failing, 0)).toBe(true);
  });

  it('keep out who is down, whatever traffic shows in a panic', () => {
    const endpoint = make();
    after('fff', endpoint);

    reportSuccess(endpoint);
    for (let i = 0; i < 5; i++) reportServerError(endpoint, siblings(endpoint), 0);

    expect(isDown(endpoint)).toBe(true);
  });

  it('that nobody sends any more leave nobody down, and ejections as they are', () => {
    const down = make();
    const ejected = make();
    after('fff', down);
    for (let i = 0; i < 2; i++) reportConnectFailure(ejected, siblings(ejected), 0);

    forgetProbes(down);
    forgetProbes(ejected);

    expect(down.health.ejectedUntilMs).toBe(0);
    expect(ejected.health.ejectedUntilMs).toBe(1_000);
  });

  it.each([
    { outcomes: 'p', changing: false },
    { outcomes: 'f', changing: true },
    { outcomes: 'fff', changing: false },
    { outcomes: 'fffp', changing: true },
    { outcomes: 'fffpp', changing: false },
  ])('have an endpoint in transition after $outcomes: $changing', ({ outcomes, changing }) => {
    const endpoint = make();
    after(outcomes, endpoint);

    expect(isInTransition(endpoint, settings, 0)).toBe(changing);
  });
});
