import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { getSystemErrorName } from 'node:util';
import { handleOf, streamWrap, type StreamHandle, type StreamWrap, type WriteRequest } from './stream-handle.js';

export interface WriteOwner {
  /** Bytes that the kernel could not take at once have left. */
  written(bytes: number): void;
  writeFailed(error: Error): void;
}

/**
 * Writes to a TCP socket past node's stream, whose queue of one costs as much as the engine's own serialising. For as long as
 * that stream holds nothing.
 */
export class HandleWriter {
  readonly #handle: StreamHandle;
  readonly #wrap: StreamWrap;
  readonly #owner: WriteOwner;
  /** One that no write has used, for whichever comes next. */
  #spare: WriteRequest | null = null;

  private constructor(handle: StreamHandle, wrap: StreamWrap, owner: WriteOwner) {
    this.#handle = handle;
    this.#wrap = wrap;
    this.#owner = owner;
  }

  /** For a connected socket. Null over TLS, where every write completes later and node's stream is needed to wait for it. */
  static of(socket: Socket, owner: WriteOwner): HandleWriter | null {
    const handle = handleOf(socket);
    if (streamWrap === null || handle === null || socket instanceof TLSSocket) return null;
    return new HandleWriter(handle, streamWrap, owner);
  }

  /** Latin1 text, or bytes. Returns how many bytes the kernel has yet to take: `written` will tell when it has. */
  write(data: string | Uint8Array): number {
    const wrap = this.#wrap;
    const request = this.#spare ?? new wrap.WriteWrap();
    const error =
      typeof data === 'string'
        ? this.#handle.writeLatin1String(request, data)
        : this.#handle.writeBuffer(request, data);
    const waits = wrap.streamBaseState[wrap.kLastWriteWasAsync] !== 0;
    this.#spare = waits ? null : request;
    if (error !== 0) this.#owner.writeFailed(writeError(error));
    if (error !== 0 || !waits) return 0;
    request.data = data;
    request.oncomplete = (status) => {
      if (status < 0) this.#owner.writeFailed(writeError(status));
      else this.#owner.written(data.length);
    };
    return data.length;
  }
}

function writeError(status: number): Error {
  const code = getSystemErrorName(status);
  return Object.assign(new Error(`write ${code}`), { code, errno: status, syscall: 'write' });
}
