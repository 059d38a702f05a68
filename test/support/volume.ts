import { createReadStream } from 'node:fs';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { createServer, type Http2ServerResponse } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { Protocol, TranscodeProfile } from '../../proto/gen/sluice/v1/config_pb.js';
import { buildDescriptors } from './descriptors.js';
import { startGateway } from './gateway.js';
import { libraryProto } from './transcoding.js';

/** What went through, and how much memory all of it (client, gateway and service are one process) took at most beside what was there. */
export interface Volume {
  readonly messages: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly addedBytes: number;
}

/**
 * A gateway before a service that sends and takes as much as one likes. The service is bare node:http2 with bytes made beforehand, so
 * that it is not what is measured.
 */
export interface VolumeRig {
  /** A server stream of this many messages of about 130 bytes of JSON each. */
  stream(messages: number): Promise<Volume>;
  /** A stream of HttpBody. */
  download(bytes: number): Promise<Volume>;
  upload(bytes: number): Promise<Volume>;
  close(): Promise<void>;
}

const pieceBytes = 65_536;

export async function startVolumeRig(): Promise<VolumeRig> {
  const counts = { toSend: 0, received: 0 };
  const server = createServer((incoming, outgoing) => {
    incoming.on('data', (chunk: Buffer) => (counts.received += chunk.length));
    outgoing.writeHead(200, { 'content-type': 'application/grpc' });
    const end = (): void => {
      outgoing.addTrailers({ 'grpc-status': '0' });
      outgoing.end();
    };
    if (incoming.url.endsWith('/Watch')) sendAll(outgoing, bookFrames, counts.toSend / framesTogether, end);
    else if (incoming.url.endsWith('/Download')) sendAll(outgoing, pieceFrame, counts.toSend / pieceBytes, end);
    else incoming.on('end', () => outgoing.write(frame(Buffer.alloc(0)), end));
  });
  const sessions = new Set<{ destroy(): void }>();
  server.on('session', (session) => sessions.add(session));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const descriptorSet = buildDescriptors({ 'test.proto': libraryProto });
  const gateway = await startGateway({
    services: [{ name: 's', protocol: Protocol.GRPC }],
    schemas: [{ name: 's', descriptorSet }],
    routes: [{ name: 's', service: 's', transcode: { schema: 's', profile: TranscodeProfile.ENVOY } }],
    endpoints: { s: [port] },
  });
  const read = async (path: string, accept: string): Promise<{ bytes: number; lines: number }> => {
    const sent = request(gateway.url + path, { headers: { accept }, agent: false });
    sent.end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    let bytes = 0;
    let lines = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (accept !== '') for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines++;
    }
    return { bytes, lines };
  };
  return {
    stream: (messages) =>
      measured(async () => {
        counts.toSend = messages;
        const { bytes, lines } = await read('/v1/shelves/1/books/2:watch', 'application/x-ndjson');
        return { messages: lines, bytes };
      }),
    download: (bytes) =>
      measured(async () => {
        counts.toSend = bytes;
        return { messages: bytes / pieceBytes, bytes: (await read('/v1/download/n', '')).bytes };
      }),
    upload: (bytes) =>
      measured(async () => {
        counts.received = 0;
        const sent = request(`${gateway.url}/v1/parts`, { method: 'POST', agent: false });
        createReadStream('/dev/zero', { end: bytes - 1, highWaterMark: pieceBytes }).pipe(sent);
        const [response] = (await once(sent, 'response')) as [IncomingMessage];
        await once(response.resume(), 'end');
        return { messages: 0, bytes: counts.received };
      }),
    close: async () => {
      await gateway.close();
      for (const session of sessions) session.destroy();
      server.close();
    },
  };
}

/** library.v1.Book { name, title, copies }. */
const bookMessage = Buffer.concat([field(1, 'shelves/1/books/2'), field(2, 'x'.repeat(80)), Buffer.from([0x28, 42])]);
const framesTogether = 100;
const bookFrames = Buffer.concat(Array.from({ length: framesTogether }, () => frame(bookMessage)));
/** google.api.HttpBody { content_type, data }. */
const pieceFrame = frame(Buffer.concat([field(1, 'application/x-bytes'), field(2, Buffer.alloc(pieceBytes, 1))]));

function field(number: number, value: string | Buffer): Buffer {
  const bytes = Buffer.from(value as string);
  const { length } = bytes;
  const size = length < 128 ? [length] : [(length & 127) | 128, ((length >> 7) & 127) | 128, length >> 14];
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...size]), bytes]);
}

function frame(message: Buffer): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}

function sendAll(outgoing: Http2ServerResponse, bytes: Buffer, count: number, done: () => void): void {
  let sent = 0;
  const more = (): void => {
    while (sent < count) {
      sent++;
      if (outgoing.write(bytes)) continue;
      outgoing.once('drain', more);
      return;
    }
    done();
  };
  more();
}

async function measured(work: () => Promise<{ messages: number; bytes: number }>): Promise<Volume> {
  const before = used();
  let most = before;
  const timer = setInterval(() => (most = Math.max(most, used())), 20);
  const startMs = performance.now();
  try {
    const { messages, bytes } = await work();
    return { messages, bytes, seconds: (performance.now() - startMs) / 1_000, addedBytes: most - before };
  } finally {
    clearInterval(timer);
  }
}

function used(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
