import { spawn, type ChildProcess } from 'node:child_process';
import type { Server } from 'node:net';

/** Sends a handle back as often as it is asked to, and lives until it is ended. */
const echo = `
process.on('message', (count, handle) => {
  for (let i = 0; i < count; i++) process.send(i, handle);
});`;

/** Longer than any machine takes to start a process. */
const echoMs = 30_000;

/** What libuv listens by; `Server.listen` takes one. */
export interface AcceptHandle {
  close(): void;
}

/**
 * Makes more handles of a listening socket. The event loop accepts one connection per handle and turn, so a busy one would let a
 * thousand clients that come at once wait for a thousand turns. Only a handle that has been through another process is one of its
 * own, so a child process is sent this one and sends it back. Until then, and if that fails, the one there is does.
 */
export class AcceptHandles {
  readonly #count: number;
  readonly #take: (handle: AcceptHandle) => void;
  readonly #child: ChildProcess | null;
  #closed = false;

  /** `take` is called with each handle, later. */
  constructor(server: Server, count: number, take: (handle: AcceptHandle) => void) {
    this.#count = count;
    this.#take = take;
    const { _handle: handle } = server as { _handle?: object | null };
    this.#child = count < 1 || handle === undefined || handle === null ? null : this.#send(handle);
  }

  /** No handle is taken any more. */
  close(): void {
    this.#closed = true;
    this.#child?.kill();
  }

  #send(handle: object): ChildProcess | null {
    try {
      // Without our environment: its NODE_OPTIONS would be the child's too.
      const child = spawn(process.execPath, ['-e', echo], {
        env: {},
        timeout: echoMs,
        stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      });
      child.on('error', () => child.kill());
      child.on('message', (index, copy: unknown) => this.#received(Number(index), copy as AcceptHandle));
      child.send(this.#count, handle as Server, (error) => {
        if (error !== null) child.kill();
      });
      // Neither may keep the process alive.
      child.unref();
      child.channel?.unref();
      return child;
    } catch {
      return null;
    }
  }

  #received(index: number, handle: AcceptHandle): void {
    // One that nobody closes would keep the port open.
    if (this.#closed) handle.close();
    else this.#take(handle);
    if (index === this.#count - 1) this.#child?.kill();
  }
}
