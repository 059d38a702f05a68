import { describe, expect, test } from 'vitest';
import { socketTests, usePairs } from './socket.fixture.js';
import { handleOf, streamWrap } from './stream-handle.js';

describe('a socket that is read and written by its handle', () => {
  const pair = usePairs();

  test('has one in this node', async () => {
    const { near, far } = await pair();

    expect(streamWrap).not.toBe(null);
    expect([near, far].map(({ socket }) => handleOf(socket.socket) === null)).toEqual([false, false]);
  });

  describe('over TCP', () => {
    socketTests();
  });
  describe('over TLS', () => {
    socketTests(true);
  });

  test('hears the last words of a peer that takes nothing any more, if it wants to', async () => {
    const { near, far } = await pair();
    Object.assign(near, { onWriteFailed: () => true });
    near.socket.pause();
    far.socket.write('last words');
    far.socket.flush();
    far.socket.reset();
    while (near.socket.isOpen) {
      near.socket.write('x');
      await new Promise(setImmediate);
    }
    expect(near.told).toEqual(['connect']);

    near.socket.resume();

    await expect.poll(() => near.text).toBe('last words');
    await expect.poll(() => near.told.length).toBe(2);
    expect(near.socket.write('y')).toBe(true);
  });
});
