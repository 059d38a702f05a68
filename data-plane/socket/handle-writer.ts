import type { Socket } from 'node:net';
import { getSystemErrorName } from 'node:util';
import {
  handleOf,
  streamWrap,
  type StreamHandle,
  type StreamWrap,
  type WriteOwner,
  type WriteRequest,
} from './stream-handle.js';

/**
 * Writes to a socket past node's stream, whose queue of one costs as much as the engine's own serialising. For as long as that
 * stream holds nothing; over TLS, where every write completes later, for as long as none is on its way either.
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

  /** For a connected socket; null when its handle is not to be had. */
  static of(socket: Socket, owner: WriteOwner): HandleWriter | null {
    const handle = handleOf(socket);
    if (streamWrap === null || handle === null) return null;
    return new HandleWriter(handle, streamWrap, owner);
  }

  /** Latin1 text, or bytes. Returns how many bytes the kernel has yet to take: `written` will tell when it has. */
  write(data: string | Uint8Array): number {
    const wrap = this.#wrap;
    const request = this.#spare ?? this.#newRequest();
    const error =
      typeof data === 'string'
        ? this.#handle.writeLatin1String(request, data)
        : this.#handle.writeBuffer(request, data);
    const waits = wrap.streamBaseState[wrap.kLastWriteWasAsync] !== 0;
    this.#spare = waits ? null : request;
    if (error !== 0) this.#owner.writeFailed(writeError(error));
    // One that failed at once under TLS has been told of.
    if (error !== 0 || !waits || request.isDone === true) return 0;
    request.data = data;
    return data.length;
  }

  /** Complete before it is given away, because a handle may call it back within the call. */
  #newRequest(): WriteRequest {
    const request = new this.#wrap.WriteWrap();
    request.owner = this.#owner;
    request.oncomplete = completed;
    return request;
  }
}

function completed(this: WriteRequest, status: number): void {
  this.isDone = true;
  if (status < 0) this.owner?.writeFailed(writeError(status));
  else this.owner?.written(this.data?.length ?? 0);
}

function writeError(status: number): Error {
  const code = getSystemErrorName(status);
  return Object.assign(new Error(`write ${code}`), { code, errno: status, syscall: 'write' });
}
