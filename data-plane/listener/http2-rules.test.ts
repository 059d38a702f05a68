import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BufferedBody } from '../body.js';
import type { RequestHandler } from '../exchange.js';
import { block, frame, framesOf, type SeenFrame } from '../wire/http2/connection.fixture.js';
import { clientPreface, errorCode, frameType } from '../wire/http2/protocol.js';
import { localCertificate, testAuthority } from './certificates.fixture.js';
import { Fixture } from './fixture.js';

/** What h2spec asks of a connection, over the port's whole way: docs/http2.md has the results of h2spec itself. */

let fixture: Fixture;
beforeEach(() => {
  fixture = new Fixture();
});
afterEach(() => fixture.close());

const handler: RequestHandler = {
  handle: (exchange) => {
    exchange.body.start({
      write: () => true,
      end: () => exchange.respond(200, [], new BufferedBody(Buffer.from('hello'))),
      fail: () => {},
    });
    return { aborted: () => {}, finished: () => {} };
  },
};

const get = block([':method', 'GET'], [':scheme', 'http'], [':path', '/'], [':authority', 'a']);
const settings = frame(frameType.settings, 0, 0);
const request = (streamId: number): Buffer => frame(frameType.headers, 5, streamId, get);
const ping = frame(frameType.ping, 0, 0, '0102030405060708');

const ports = ['h2c', 'h2'] as const;

/** Connects, sends the preface and `bytes`, and returns the frames that come until the end, or until `enough` have come. */
async function ask(
  protocol: (typeof ports)[number],
  bytes: readonly Buffer[],
  enough: (frames: readonly SeenFrame[]) => boolean = () => false,
): Promise<SeenFrame[]> {
  const context = createSecureContext(localCertificate);
  const tls = protocol === 'h2' ? { tls: { secureContext: () => context } } : {};
  const { port } = await fixture.listen(handler, {}, tls);
  const socket: Socket =
    protocol === 'h2c'
      ? connectTcp(port, '127.0.0.1')
      : connectTls({ port, host: 'localhost', servername: 'localhost', ca: testAuthority, ALPNProtocols: ['h2'] });
  const chunks: Buffer[] = [];
  const frames = (): SeenFrame[] => framesOf(Buffer.concat(chunks));
  await new Promise<void>((resolve) => {
    socket.on('error', () => {}).on('close', () => resolve());
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      if (enough(frames())) resolve();
    });
    socket.write(Buffer.concat([clientPreface, ...bytes]));
  });
  socket.destroy();
  return frames();
}

function goAwayCode(frames: readonly SeenFrame[]): number | undefined {
  return frames.findLast(({ type }) => type === frameType.goAway)?.payload.readUInt32BE(4);
}

describe.each(ports)('over %s', (protocol) => {
  const rules: [title: string, code: number, frames: readonly Buffer[]][] = [
    ['a first frame that is not SETTINGS', errorCode.protocolError, [ping, settings]],
    ['a frame larger than allowed', errorCode.frameSizeError, [settings, frame(1, 4, 1, Buffer.alloc(16_385))]],
    ['a table larger than allowed', errorCode.compressionError, [settings, frame(1, 5, 1, '3fe21f')]],
    ['an index of no field', errorCode.compressionError, [settings, frame(1, 5, 1, 'ff00')]],
    ['DATA on an idle stream', errorCode.protocolError, [settings, frame(0, 0, 1, '00')]],
    ['HEADERS on an even stream', errorCode.protocolError, [settings, frame(1, 5, 2, get)]],
    ['a stream below the last', errorCode.streamClosed, [settings, request(5), request(3)]],
    ['CONTINUATION of nothing', errorCode.protocolError, [settings, frame(9, 4, 1, get)]],
    ['a frame within a field block', errorCode.protocolError, [settings, frame(1, 0, 1, get), ping]],
    ['SETTINGS of five bytes', errorCode.frameSizeError, [settings, frame(4, 0, 0, '0000000000')]],
    ['a window beyond 2^31-1', errorCode.flowControlError, [settings, frame(8, 0, 0, '7fffffff')]],
    ['no credit at all', errorCode.protocolError, [settings, frame(8, 0, 0, '00000000')]],
    ['PUSH_PROMISE', errorCode.protocolError, [settings, frame(5, 4, 1, '00000002')]],
    ['PING of seven bytes', errorCode.frameSizeError, [settings, frame(6, 0, 0, '00000000000000')]],
    ['GOAWAY on a stream', errorCode.protocolError, [settings, frame(7, 0, 1, '0000000000000000')]],
  ];
  test.each(rules)('%s ends the connection with the code of its fault', async (_title, code, bytes) => {
    expect(goAwayCode(await ask(protocol, bytes))).toBe(code);
  });

  test('frames that mean nothing here are passed over, and requests and PING are answered', async () => {
    const bytes = [
      settings,
      frame(4, 0, 0, '00ff00000001'),
      frame(0x99, 0xff, 0, 'aa'),
      frame(2, 0, 7, '00000000ff'),
      frame(1, 0x2d, 1, Buffer.concat([Buffer.from('020000000310', 'hex'), get, Buffer.alloc(2)])),
      ping,
    ];
    const ends = ({ type, flags }: SeenFrame): boolean => type === frameType.data && (flags & 1) === 1;
    const isPong = ({ type, flags }: SeenFrame): boolean => type === frameType.ping && flags === 1;

    const frames = await ask(protocol, bytes, (seen) => seen.some(ends) && seen.some(isPong));

    expect(frames.find(ends)?.payload.toString()).toBe('hello');
    expect(frames.find(isPong)?.payload.toString('hex')).toBe('0102030405060708');
    expect(goAwayCode(frames)).toBeUndefined();
  });
});
