import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { ByteSocket, socketBufferBytes, type SocketEvents } from './byte-socket.js';
import { SocketReader } from './on-read.js';
import type { SharedReadBuffer } from './read-buffer.js';

export { ByteSocket, socketBufferBytes, type SocketEvents } from './byte-socket.js';

/** Connects; `onConnect` is told after the TLS handshake, if there is one. */
export function openSocket(
  address: string,
  port: number,
  tls: ConnectionOptions | null,
  reads: SharedReadBuffer,
  events: SocketEvents,
): ByteSocket {
  const reader = new SocketReader(reads);
  const options = {
    host: address,
    port,
    noDelay: true,
    keepAlive: true,
    allowHalfOpen: true,
    highWaterMark: socketBufferBytes,
    onread: reader.options,
  };
  const socket = tls === null ? connectTcp(options) : connectTls({ ...options, ...tls } as ConnectionOptions);
  socket.once(tls === null ? 'connect' : 'secureConnect', () => {
    reader.takeOver(socket);
    events.onConnect();
  });
  return reader.readsFor(new ByteSocket(socket, reads.turn, events));
}

/** Takes over a socket that a server accepted, of which nothing has been read; a TLS connection as its handshake completes. */
export function adoptSocket(socket: Socket, reads: SharedReadBuffer, events: SocketEvents): ByteSocket {
  const reader = new SocketReader(reads);
  if (!reader.takeOver(socket)) return readEvents(socket, reads, events);
  const byteSocket = reader.readsFor(new ByteSocket(socket, reads.turn, events));
  reader.start(byteSocket);
  return byteSocket;
}

/** A socket that has no way but `data` events. */
export function readEvents(socket: Socket, reads: SharedReadBuffer, events: SocketEvents): ByteSocket {
  const byteSocket = new ByteSocket(socket, reads.turn, events);
  socket.on('data', (bytes: Buffer) => byteSocket.received(bytes, 0, bytes.length, true));
  socket.resume();
  return byteSocket;
}
