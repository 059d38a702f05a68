import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { shopCertificate } from '../listener/certificates.fixture.js';
import { SharedReadBuffer } from './read-buffer.js';
import { adoptSocket, openSocket, type ByteSocket, type SocketEvents } from './socket.js';

/** One end of a connection, and what it has been told. */
export class End implements SocketEvents {
  readonly socket: ByteSocket;
  text = '';
  drains = 0;
  readonly told: string[] = [];

  constructor(open: (events: SocketEvents) => ByteSocket) {
    this.socket = open(this);
  }

  onConnect(): void {
    this.told.push('connect');
  }

  onBytes(bytes: Buffer, start: number, end: number): boolean {
    this.text += bytes.toString('latin1', start, end);
    return false;
  }

  onDrain(): void {
    this.drains++;
  }

  onPeerEnd(): void {
    this.told.push('end');
  }

  onClose(error: Error | null): void {
    this.told.push(error === null ? 'close' : `close by ${(error as NodeJS.ErrnoException).code}`);
  }
}

/** Two ends of one connection, the second accepted by a server. */
export function usePairs(isTls = false): (accepted?: (far: End) => void) => Promise<{ near: End; far: End }> {
  const servers: Server[] = [];
  const ends: End[] = [];
  afterEach(() => {
    for (const { socket } of ends.splice(0)) socket.destroy();
    for (const server of servers.splice(0)) server.close();
  });
  return async (told) => {
    const reads = new SharedReadBuffer();
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }).listen(0, '127.0.0.1');
    servers.push(server);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    const tls = isTls ? { rejectUnauthorized: false } : null;
    const near = new End((events) => openSocket('127.0.0.1', port, tls, reads, events));
    const [socket] = await accepted;
    const secured = isTls ? await secure(socket) : socket;
    const far = new End((events) => adoptSocket(secured, reads, events));
    told?.(far);
    ends.push(near, far);
    await expect.poll(() => near.told).toEqual(['connect']);
    return { near, far };
  };
}

async function secure(socket: Socket): Promise<TLSSocket> {
  const secured = new TLSSocket(socket, { isServer: true, secureContext: createSecureContext(shopCertificate) });
  await once(secured, 'secure');
  return secured;
}

/** What holds of sockets however they are read and written. */
export function socketTests(isTls = false): void {
  const pair = usePairs(isTls);
  const large = 8 * 1024 * 1024;

  test('text and bytes of a turn arrive in their order', async () => {
    const { near, far } = await pair();

    near.socket.write('one ');
    near.socket.write(Buffer.from('two '));
    near.socket.write('thr\xe9e ');
    await turn();
    near.socket.write(Buffer.from('four'));
    far.socket.write('back');

    await expect.poll(() => far.text).toBe('one two thr\xe9e four');
    await expect.poll(() => near.text).toBe('back');
  });

  test('a peer that does not read makes the writer wait, and nothing is lost', async () => {
    const { near, far } = await pair();
    far.socket.pause();
    let written = 0;
    for (let room = true; room && written < 64 * large;) {
      room = near.socket.write(Buffer.alloc(65_536, 'x'));
      written += 65_536;
      await turn();
    }

    expect(near.socket.isFull).toBe(true);
    expect(near.socket.isDrained).toBe(false);
    expect(near.socket.unsentBytes).toBeGreaterThan(65_536);
    expect(near.drains).toBe(0);

    far.socket.resume();
    await expect.poll(() => far.text.length, { timeout: 10_000 }).toBe(written);
    await expect.poll(() => near.drains).toBe(1);
    expect(near.socket.isDrained).toBe(true);
  });

  test.each([
    ['as one text', (socket: ByteSocket) => void socket.write('x'.repeat(large))],
    ['as one piece of bytes', (socket: ByteSocket) => void socket.write(Buffer.alloc(large, 'x'))],
    [
      'as chunks at once',
      (socket: ByteSocket) => socket.send([Buffer.alloc(large / 2, 'x'), Buffer.alloc(large / 2, 'x')]),
    ],
  ])('more than the kernel takes, %s, arrives whole, with what is written behind it', async (_name, write) => {
    const { near, far } = await pair();
    far.socket.pause();
    write(near.socket);
    await turn();
    near.socket.write('end');
    await turn();
    far.socket.resume();

    await expect.poll(() => far.text.length, { timeout: 10_000 }).toBe(large + 3);
    expect(far.text.endsWith('xend')).toBe(true);
    expect(near.drains).toBeGreaterThan(0);
  });

  test('each side ends for itself, behind what it has written', async () => {
    const { near, far } = await pair();
    near.socket.write('x'.repeat(large));
    near.socket.end();
    await expect.poll(() => far.told, { timeout: 10_000 }).toEqual(['end']);
    expect(far.text.length).toBe(large);

    far.socket.write('late');
    far.socket.end();

    await expect.poll(() => near.text).toBe('late');
    await expect.poll(() => near.told).toEqual(['connect', 'end', 'close']);
  });

  test.each([1, 2, 3])(
    'pieces of any size, written in any way at any time, arrive in their order (seed %d)',
    async (seed) => {
      const { near, far } = await pair();
      let state = seed;
      const random = (below: number): number => (state = (state * 48_271) % 2_147_483_647) % below;
      let written = '';
      for (let i = 0; i < 150; i++) {
        const text = String.fromCharCode(97 + (i % 26)).repeat(1 + random([20, 3_000, 200_000][random(3)] as number));
        written += text;
        if (random(2) === 0) near.socket.write(text);
        else near.socket.write(Buffer.from(text));
        if (random(4) === 0) near.socket.flush();
        for (let turns = random(3); turns > 0; turns--) await turn();
        if (random(8) === 0) far.socket.pause();
        else if (random(3) === 0) far.socket.resume();
      }
      near.socket.end();
      far.socket.resume();

      await expect.poll(() => far.told, { timeout: 10_000 }).toEqual(['end']);
      expect(far.text === written, `${far.text.length} of ${written.length}`).toBe(true);
    },
  );

  test('a pause holds what comes, not what is said before it', async () => {
    const { near, far } = await pair();
    far.socket.pause();
    near.socket.write('held');
    await turn();
    await turn();
    expect(far.text).toBe('');

    far.socket.resume();

    await expect.poll(() => far.text).toBe('held');
  });

  test('a pause at the very beginning does so too', async () => {
    const { near, far } = await pair(({ socket }) => socket.pause());
    near.socket.write('held');
    for (let i = 0; i < 5; i++) await turn();
    expect(far.text).toBe('');

    far.socket.resume();

    await expect.poll(() => far.text).toBe('held');
  });

  test('writing to a peer that has reset ends the connection', async () => {
    const { near, far } = await pair();
    far.socket.reset();
    for (let i = 0; i < 20 && near.told.length < 2; i++) {
      near.socket.write('x');
      await turn();
    }

    await expect.poll(() => near.told.at(-1)).toMatch(/^close by (ECONNRESET|EPIPE)$/);
    expect(near.socket.isOpen).toBe(false);
  });
}
