import { connect } from 'node:net';
import { once } from 'node:events';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { startGateway, type TestGateway } from '../support/gateway.js';
import { startRawUpstream } from '../support/upstream.js';

const switching = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n';

let gateway: TestGateway;
let heads: string[];
let closing: (() => Promise<void>)[];
beforeEach(async () => {
  heads = [];
  const upstream = await startRawUpstream((socket) => {
    socket.once('data', (head: Buffer) => {
      heads.push(head.toString('latin1'));
      socket.end(/\r\nUpgrade: /.test(heads[0] as string) ? switching : 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
    });
  });
  gateway = await startGateway({
    services: [{ name: 'app' }],
    routes: [{ name: 'app', service: 'app', paths: [{ kind: { case: 'prefix', value: '/' } }] }],
    endpoints: { app: [upstream.port] },
  });
  closing = [() => gateway.close(), () => upstream.close()];
});
afterEach(async () => {
  for (const close of closing) await close();
});

async function ask(fields: string): Promise<string> {
  const socket = connect(gateway.port, '127.0.0.1');
  socket.write(`GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return answer.toString('latin1').slice(9, 12);
}

test.each([
  ['in one line', 'Connection: keep-alive, Upgrade\r\nUpgrade: echo\r\n', 'echo'],
  ['in the second line of Connection', 'Connection: keep-alive\r\nUpgrade: echo\r\nConnection: Upgrade\r\n', 'echo'],
  ['for protocols in two lines', 'Connection: upgrade\r\nUpgrade: echo\r\nUpgrade: other\r\n', 'echo, other'],
])('an upgrade that is asked for %s is passed on', async (_name, fields, protocols) => {
  expect(await ask(fields)).toBe('101');
  expect(heads[0]).toContain(`\r\nUpgrade: ${protocols}\r\nConnection: Upgrade\r\n`);
});

test.each([
  ['without the option', 'Upgrade: echo\r\n'],
  ['to h2c in the second line', 'Connection: Upgrade\r\nUpgrade: echo\r\nUpgrade: h2c\r\n'],
  ['with a body', 'Connection: Upgrade\r\nUpgrade: echo\r\nContent-Length: 1\r\n\r\nx'],
])('an upgrade %s is a plain request to the service', async (_name, fields) => {
  expect(await ask(fields)).toBe('200');
  expect(heads[0]).not.toMatch(/upgrade/i);
});
