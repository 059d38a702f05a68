import type { Socket } from 'node:net';

/** What node's own streams call on the handle of a socket, TCP's or TLS's. */
export interface StreamHandle {
  /** Called after each read, with the number of bytes or an error in `kReadBytesOrError`; returns the next buffer if it is another. */
  onread: (this: StreamHandle, bytes: ArrayBuffer | undefined) => Uint8Array | undefined;
  useUserBuffer(buffer: Uint8Array): void;
  readStart(): number;
  readStop(): number;
  /** Both return 0 or a system error. */
  writeLatin1String(request: WriteRequest, text: string): number;
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number;
}

export interface WriteOwner {
  /** Bytes that the kernel could not take at once have left. */
  written(bytes: number): void;
  writeFailed(error: Error): void;
}

/** A write that libuv goes on with; one that the kernel took at once leaves it unused. */
export interface WriteRequest {
  oncomplete?: (this: WriteRequest, status: number) => void;
  owner?: WriteOwner;
  isDone?: boolean;
  /** Kept alive as long as libuv has it. */
  data?: Uint8Array | string;
}

/** Node's `stream_wrap`. */
export interface StreamWrap {
  readonly WriteWrap: new () => WriteRequest;
  /** How the last call of any handle went. */
  readonly streamBaseState: Int32Array;
  readonly kReadBytesOrError: number;
  readonly kLastWriteWasAsync: number;
}

/** Null in some future node, which gives these out no more; then sockets are read and written as streams. */
export const streamWrap: StreamWrap | null = loadStreamWrap();

function loadStreamWrap(): StreamWrap | null {
  try {
    const { binding } = process as unknown as { binding(name: string): StreamWrap };
    const wrap = binding('stream_wrap');
    const { WriteWrap, streamBaseState, kReadBytesOrError, kLastWriteWasAsync } = wrap;
    const isComplete =
      typeof WriteWrap === 'function' &&
      streamBaseState instanceof Int32Array &&
      typeof kReadBytesOrError === 'number' &&
      typeof kLastWriteWasAsync === 'number';
    return isComplete ? wrap : null;
  } catch {
    return null;
  }
}

/** The handle of a socket that is open; null when it is none that can be used. */
export function handleOf(socket: Socket): StreamHandle | null {
  const { _handle: handle } = socket as { _handle?: StreamHandle | null };
  const isUsable =
    typeof handle?.onread === 'function' &&
    typeof handle.useUserBuffer === 'function' &&
    typeof handle.writeLatin1String === 'function' &&
    typeof handle.writeBuffer === 'function';
  return isUsable ? handle : null;
}
