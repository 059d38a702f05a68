import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Server } from 'node:net';

/**
 * Runs `work` while no other process of this machine runs under the same key.
 * The lock is a name in Linux's abstract socket space: the kernel frees it with its holder, so it cannot go stale.
 */
export async function withLock<T>(key: string, work: () => Promise<T>): Promise<T> {
  const path = `\0sluice-${createHash('sha256').update(key).digest('hex').slice(0, 24)}`;
  const held = await acquire(path);
  try {
    return await work();
  } finally {
    held.close();
  }
}

async function acquire(path: string): Promise<Server> {
  for (;;) {
    const server = createServer((socket) => socket.destroy());
    try {
      await once(server.listen({ path }), 'listening');
      return server;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
      await sleep(100);
    }
  }
}
