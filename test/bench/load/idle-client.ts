import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** What idle.ts asks of this process, as its one argument. */
export interface IdleLoad {
  readonly port: number;
  /** The whole request as it is sent. */
  readonly text: string;
  readonly connections: number;
}

const atATime = 100;
const answerMs = 5_000;

/** Gives each connection one answer, says so in a line, and keeps them until its own input ends. */
async function hold({ port, text, connections }: IdleLoad): Promise<void> {
  const sockets: Socket[] = [];
  while (sockets.length < connections) {
    const count = Math.min(atATime, connections - sockets.length);
    sockets.push(...(await Promise.all(Array.from({ length: count }, () => answered(port, text)))));
  }
  let closed = 0;
  for (const socket of sockets) socket.once('close', () => closed++);
  console.log('idle');
  process.stdin.resume();
  await once(process.stdin, 'end');
  console.log(`closed ${closed}`);
  for (const socket of sockets) socket.destroy();
}

async function answered(port: number, text: string): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port });
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(text);
  // A small answer comes in one piece.
  const [answer] = (await once(socket, 'data', { signal: AbortSignal.timeout(answerMs) })) as [Buffer];
  if (!answer.toString('latin1').startsWith('HTTP/1.1 2')) throw new Error(`answers ${answer.toString('latin1')}`);
  return socket;
}

const [, , load = '{}'] = process.argv;
await hold(JSON.parse(load) as IdleLoad);
