import type { Socket } from 'node:net';
import { TLSSocket, type SecureContext, type TLSSocketOptions } from 'node:tls';
import type { SharedReadBuffer } from '../socket/read-buffer.js';
import { adoptSocket, socketBufferBytes, type ByteSocket, type SocketEvents } from '../socket/socket.js';
import { WheelTimer, type TimerWheel } from '../wheel.js';
import { askedServerName } from '../wire/client-hello/client-hello.js';
import { readProxyHeader } from '../wire/proxy-protocol/proxy-protocol.js';
import type { PeerSource } from './peer.js';

export interface ListenerTls {
  /**
   * The certificate for the name that a client asks for, '' when it asks for none; asked anew for each handshake, so certificates
   * change while connections last. Null falls back to the one for ''; where that is null, every handshake is refused.
   */
  secureContext(serverName: string): SecureContext | null;
  /** The one that every name gets, where there is but one: to look for the name costs a handshake some time. */
  onlyContext?(): SecureContext | null;
  /** Hears once of every handshake that was begun. */
  ended?(result: HandshakeResult): void;
}

/**
 * `resumed`: complete, with a session from before. `failed`: the client and we found no common ground, or it broke the protocol.
 * `closed`: the client left. `refused`: there is no certificate.
 */
export type HandshakeResult = 'complete' | 'resumed' | 'failed' | 'closed' | 'timeout' | 'refused';

export interface AcceptOptions {
  readonly tls: ListenerTls | null;
  /** Whether a peer at this address must begin with a PROXY header. Others must not. */
  readonly proxyHeaderFrom: (address: string) => boolean;
  readonly timeoutMs: number;
  readonly wheel: TimerWheel;
  readonly reads: SharedReadBuffer;
}

/** A client's connection that is ready to speak HTTP. */
export interface Accepted {
  /** What a trusted PROXY header says of the client; null without one. */
  readonly source: PeerSource | null;
  readonly open: (events: SocketEvents) => ByteSocket;
  /** Chosen in the TLS handshake; a plain connection shows by its first bytes. */
  readonly isHttp2: boolean;
  /** Bytes that came with the PROXY header; the connection's first. */
  readonly firstBytes: Buffer | null;
}

/** A fatal alert, as RFC 8446 section 6 has it, in a record of its own. */
const unrecognizedName = Buffer.from([0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 112]);

/**
 * Brings a TCP connection to the point where HTTP begins: PROXY header, then TLS handshake, where either is asked for, within one
 * time limit. `ready` is called at most once; a connection that fails before is destroyed without a word.
 */
export function acceptConnection(raw: Socket, options: AcceptOptions, ready: (accepted: Accepted) => void): void {
  if (options.tls === null && !options.proxyHeaderFrom(raw.remoteAddress ?? '')) {
    ready({
      source: null,
      open: (events) => adoptSocket(raw, options.reads, events),
      isHttp2: false,
      firstBytes: null,
    });
    return;
  }
  new Acceptance(raw, options, ready);
}

class Acceptance {
  readonly #raw: Socket;
  readonly #options: AcceptOptions;
  readonly #ready: (accepted: Accepted) => void;
  readonly #timer: WheelTimer;
  #held: Buffer = Buffer.alloc(0);
  #isSecuring = false;

  constructor(raw: Socket, options: AcceptOptions, ready: (accepted: Accepted) => void) {
    this.#raw = raw;
    this.#options = options;
    this.#ready = ready;
    this.#timer = new WheelTimer(() => {
      this.#secured('timeout');
      raw.destroy();
    });
    options.wheel.set(this.#timer, options.timeoutMs);
    raw.on('error', ignore);
    raw.once('close', () => {
      options.wheel.remove(this.#timer);
      this.#secured('closed');
    });
    if (options.proxyHeaderFrom(raw.remoteAddress ?? '')) {
      this.#peek(() => this.#readHeader());
    } else {
      this.#secure(null, null);
    }
  }

  /** Gathers what comes in `#held`, and has it read each time, until `read` says that it is enough. */
  #peek(read: () => boolean): void {
    const raw = this.#raw;
    const ended = (): void => void raw.destroy();
    const onData = (bytes: Buffer): void => {
      this.#held = Buffer.concat([this.#held, bytes]);
      if (read()) raw.off('data', onData).off('end', ended);
    };
    raw.on('data', onData).once('end', ended).resume();
  }

  #readHeader(): boolean {
    const header = readProxyHeader(this.#held);
    if (header === 'more') return false;
    if (header === 'malformed') {
      this.#raw.destroy();
      return true;
    }
    const rest = this.#held.length > header.length ? this.#held.subarray(header.length) : null;
    if (this.#options.tls !== null) {
      this.#secure(header.source, rest);
    } else {
      this.#done({
        source: header.source,
        open: (events) => adoptSocket(this.#raw, this.#options.reads, events),
        isHttp2: false,
        firstBytes: rest,
      });
    }
    return true;
  }

  #secure(source: PeerSource | null, rest: Buffer | null): void {
    const { tls } = this.#options;
    if (tls === null) return;
    this.#isSecuring = true;
    this.#giveBack(rest);
    const only = tls.onlyContext?.() ?? null;
    if (only === null) this.#choose(tls, source);
    else this.#handshake(only, source);
  }

  /**
   * Chooses the certificate before the handshake. Within it node would add the chosen one to the default, and a client that likes
   * the default's kind of key better would get that.
   */
  #choose(tls: ListenerTls, source: PeerSource | null): void {
    this.#held = Buffer.alloc(0);
    this.#peek(() => {
      const name = askedServerName(this.#held);
      if (name === null) return false;
      const context = tls.secureContext(name) ?? tls.secureContext('');
      if (context === null) {
        this.#refuse();
      } else {
        this.#giveBack(this.#held);
        this.#handshake(context, source);
      }
      return true;
    });
  }

  /** What was read to look at is read once more. */
  #giveBack(bytes: Buffer | null): void {
    this.#raw.pause();
    if (bytes !== null) this.#raw.unshift(bytes);
  }

  #handshake(secureContext: SecureContext, source: PeerSource | null): void {
    const options: TLSSocketOptions & { highWaterMark: number } = {
      isServer: true,
      secureContext,
      ALPNProtocols: ['h2', 'http/1.1'],
      highWaterMark: socketBufferBytes,
    };
    const secure = new TLSSocket(this.#raw, options);
    const failed = (): void => void secure.destroy();
    secure.once('error', (error: NodeJS.ErrnoException) => {
      this.#secured(error.code === 'ECONNRESET' ? 'closed' : 'failed');
      failed();
    });
    secure.once('end', failed);
    secure.once('close', failed);
    secure.once('secure', () => {
      secure.off('end', failed);
      secure.off('close', failed);
      this.#secured(secure.isSessionReused() ? 'resumed' : 'complete');
      this.#done({
        source,
        open: (events) => adoptSocket(secure, this.#options.reads, events),
        isHttp2: secure.alpnProtocol === 'h2',
        firstBytes: null,
      });
    });
  }

  /** The client has spoken by now: to close on what it has sent unread would reset the alert away. */
  #refuse(): void {
    this.#secured('refused');
    this.#raw.once('end', () => this.#raw.destroy());
    this.#raw.end(unrecognizedName);
    this.#raw.resume();
  }

  #secured(result: HandshakeResult): void {
    if (this.#isSecuring) this.#options.tls?.ended?.(result);
    this.#isSecuring = false;
  }

  #done(accepted: Accepted): void {
    this.#options.wheel.remove(this.#timer);
    this.#ready(accepted);
  }
}

function ignore(): void {}
