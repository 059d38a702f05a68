import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type { Bus } from '../../proto/bus/bus.js';

export interface BusAdapter {
  /** A new connection to the one broker of the suite. */
  connect(): Bus;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (message: Uint8Array): string => new TextDecoder().decode(message);

/** What every Bus promises; `adapter` is called within a test. */
export function busContract(name: string, adapter: () => BusAdapter): void {
  describe(`${name} keeps the contract of a bus`, () => {
    let here: Bus;
    let there: Bus;
    let space: string;

    beforeEach(async () => {
      space = `t${Math.random().toString(36).slice(2)}`;
      here = adapter().connect();
      there = adapter().connect();
      await Promise.all([connected(here), connected(there)]);
    });
    afterEach(async () => {
      await Promise.all([here.close(), there.close()]);
    });

    test('a message reaches every other subscriber, with its subject, in the order of sending', async () => {
      const third = adapter().connect();
      await connected(third);
      const heard: string[][] = [[], []];
      there.subscribe(`${space}.a`, (message, subject) => heard[0]?.push(`${subject}=${text(message)}`));
      third.subscribe(`${space}.a`, (message, subject) => heard[1]?.push(`${subject}=${text(message)}`));
      await Promise.all([there.flush(), third.flush()]);

      for (let i = 0; i < 50; i++) here.publish(`${space}.a`, bytes(String(i)));
      await here.flush();

      const all = Array.from({ length: 50 }, (_, i) => `${space}.a=${i}`);
      await expect.poll(() => heard).toEqual([all, all]);
      await third.close();
    });

    test('a handler is never called before publish has returned', async () => {
      let returned = false;
      let before: boolean | null = null;
      there.subscribe(`${space}.a`, () => (before = !returned));
      await there.flush();

      here.publish(`${space}.a`, bytes('x'));
      returned = true;

      await expect.poll(() => before).toBe(false);
    });

    test('a bus does not hear itself', async () => {
      const heard: string[] = [];
      here.subscribe(`${space}.a`, (message) => heard.push(text(message)));
      await here.flush();

      here.publish(`${space}.a`, bytes('own'));
      await here.flush();
      there.publish(`${space}.a`, bytes('other'));

      await expect.poll(() => heard).toEqual(['other']);
    });

    test.each([
      ['node.*.status', 'node.n1.status', true],
      ['node.*.status', 'node.n1.ctl', false],
      ['node.*.status', 'node.a.b.status', false],
      ['node.*', 'node', false],
      ['node.>', 'node.n1.status', true],
      ['node.>', 'node', false],
      ['node', 'node', true],
      ['node', 'nodes', false],
    ])('a subscription to %s hears %s: %s', async (pattern, subject, heard) => {
      const subjects: string[] = [];
      there.subscribe(`${space}.${pattern}`, (_message, concrete) => subjects.push(concrete));
      there.subscribe(`${space}end`, (_message, concrete) => subjects.push(concrete));
      await there.flush();

      here.publish(`${space}.${subject}`, bytes('x'));
      here.publish(`${space}end`, bytes('x'));

      await expect.poll(() => subjects).toEqual([...(heard ? [`${space}.${subject}`] : []), `${space}end`]);
    });

    test('one member of a queue gets each message', async () => {
      const third = adapter().connect();
      await connected(third);
      const heard: string[] = [];
      for (const bus of [there, third])
        bus.subscribe(`${space}.q`, (message) => heard.push(text(message)), { queue: 'q' });
      await Promise.all([there.flush(), third.flush()]);

      for (let i = 0; i < 20; i++) here.publish(`${space}.q`, bytes(String(i)));
      await here.flush();

      await expect.poll(() => heard.length).toBe(20);
      expect(new Set(heard).size).toBe(20);
      await third.close();
    });

    test('a closed subscription hears nothing more', async () => {
      const heard: string[] = [];
      const subscription = there.subscribe(`${space}.a`, (message) => heard.push(text(message)));
      await there.flush();
      here.publish(`${space}.a`, bytes('1'));
      await expect.poll(() => heard).toEqual(['1']);

      subscription.close();
      here.publish(`${space}.a`, bytes('2'));
      await here.flush();
      await there.flush();

      expect(heard).toEqual(['1']);
    });

    test('a throwing handler harms neither the next message nor another handler', async () => {
      const heard: string[] = [];
      there.subscribe(`${space}.a`, (message) => {
        heard.push(text(message));
        throw new Error('a fault in a handler');
      });
      there.subscribe(`${space}.a`, (message) => heard.push(`also ${text(message)}`));
      await there.flush();

      here.publish(`${space}.a`, bytes('1'));
      here.publish(`${space}.a`, bytes('2'));

      await expect.poll(() => heard.toSorted()).toEqual(['1', '2', 'also 1', 'also 2']);
    });

    test('a request gets the answer of one of those who serve it', async () => {
      there.serve(`${space}.req`, 'q', async (message) => bytes(`${text(message)}?`));
      await there.flush();

      const answers = await Promise.all(
        ['a', 'b'].map((q) => here.request(`${space}.req`, bytes(q), { timeoutMs: 2_000 })),
      );

      expect(answers.map(text)).toEqual(['a?', 'b?']);
    });

    test('a request that nobody serves fails at once', async () => {
      const asked = performance.now();

      await expect(here.request(`${space}.none`, bytes('x'), { timeoutMs: 5_000 })).rejects.toMatchObject({
        kind: 'no-responders',
      });

      expect(performance.now() - asked).toBeLessThan(2_000);
    });

    test('a request that is not answered in time fails with timeout', async () => {
      there.serve(`${space}.req`, 'q', () => new Promise(() => undefined));
      await there.flush();

      await expect(here.request(`${space}.req`, bytes('x'), { timeoutMs: 50 })).rejects.toMatchObject({
        kind: 'timeout',
      });
    });

    test('a request whose server rejects fails at once, without the text of the error', async () => {
      there.serve(`${space}.req`, 'q', () => Promise.reject(new Error('secret')));
      await there.flush();

      const failure = here.request(`${space}.req`, bytes('x'), { timeoutMs: 5_000 });

      await expect(failure).rejects.toMatchObject({ kind: 'failed', message: expect.not.stringContaining('secret') });
    });

    test('an aborted request rejects with the reason of the abort', async () => {
      there.serve(`${space}.req`, 'q', () => new Promise(() => undefined));
      await there.flush();
      const abort = new AbortController();

      const asked = here.request(`${space}.req`, bytes('x'), { timeoutMs: 5_000, signal: abort.signal });
      setTimeout(() => abort.abort(new Error('enough')), 10);

      await expect(asked).rejects.toThrow('enough');
    });

    test('a message over the limit is refused where it is published', () => {
      const tooLarge = new Uint8Array(here.maxPayloadBytes + 1);

      expect(() => here.publish(`${space}.a`, tooLarge)).toThrow(expect.objectContaining({ kind: 'too-large' }));
    });

    test('a closed bus says so, is silent, and refuses requests', async () => {
      const states: string[] = [];
      here.onState((state) => states.push(state));

      await here.close();

      expect(here.state).toBe('closed');
      expect(states.at(-1)).toBe('closed');
      expect(() => here.publish(`${space}.a`, bytes('x'))).not.toThrow();
      await expect(here.request(`${space}.a`, bytes('x'), { timeoutMs: 50 })).rejects.toMatchObject({ kind: 'closed' });
      await expect(here.flush()).rejects.toMatchObject({ kind: 'closed' });
    });

    test('closing ends a request in flight', async () => {
      there.serve(`${space}.req`, 'q', () => new Promise(() => undefined));
      await there.flush();

      const asked = here.request(`${space}.req`, bytes('x'), { timeoutMs: 10_000 });
      const failure = asked.catch((error: unknown) => error);
      await here.close();

      expect(await failure).toMatchObject({ name: 'BusError' });
    });
  });
}

export async function connected(bus: Bus): Promise<void> {
  if (bus.state === 'connected') return;
  await new Promise<void>((resolve) => {
    const stop = bus.onState((state) => {
      if (state !== 'connected') return;
      stop();
      resolve();
    });
  });
}
