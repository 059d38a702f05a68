import { describe, vi } from 'vitest';
import { socketTests } from './socket.fixture.js';

/** A node that gives no handle away, as a later one may do, or this one under `--experimental-permission`. */
vi.mock('./stream-handle.js', () => ({ streamWrap: null, handleOf: () => null }));

describe('a socket that is read and written as a stream', () => {
  describe('over TCP', () => {
    socketTests();
  });
  describe('over TLS', () => {
    socketTests(true);
  });
});
