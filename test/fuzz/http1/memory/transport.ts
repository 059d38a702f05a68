import type { ProxyError } from '../../../../data-plane/errors.js';
import {
  ClientConnection,
  type ConnectionOwner,
  type RunningCall,
} from '../../../../data-plane/upstream/http1/connection.js';
import { defaultTransportLimits, type Http1TransportLimits } from '../../../../data-plane/upstream/http1/limits.js';
import type { ActiveCall, Call, CallObserver, Transport } from '../../../../data-plane/upstream/transport.js';
import type { TimerWheel } from '../../../../data-plane/wheel.js';
import { MemorySocket, type SocketHabits } from './socket.js';

/** A call as its service sees it. */
export interface SentCall {
  readonly call: Call;
  /** The place of its request among those of the client's connection. */
  readonly message: number;
  readonly socket: MemorySocket;
  /** Where it begins in what was written to the socket. */
  readonly from: number;
}

/** The real upstream connections over sockets in memory; kept ones are used again as the pool does. */
export class MemoryTransport implements Transport, ConnectionOwner {
  readonly limits: Http1TransportLimits;
  readonly wheel: TimerWheel;
  sent: SentCall[] = [];
  sockets: MemorySocket[] = [];
  #habits: SocketHabits;
  #currentMessage: () => number = () => -1;
  #idle: { readonly connection: ClientConnection; readonly socket: MemorySocket }[] = [];
  readonly #socketOf = new WeakMap<ClientConnection, MemorySocket>();

  constructor(wheel: TimerWheel, limits: Partial<Http1TransportLimits>) {
    this.wheel = wheel;
    this.limits = { ...defaultTransportLimits, ...limits };
    this.#habits = { scratch: null, stalls: () => false };
  }

  /** Forgets the run before. */
  begin(habits: SocketHabits, currentMessage: () => number): void {
    for (const { connection } of this.#idle) connection.destroy();
    for (const socket of this.sockets) while (socket.step());
    this.sent = [];
    this.sockets = [];
    this.#idle = [];
    this.#habits = habits;
    this.#currentMessage = currentMessage;
  }

  send(call: Call, observer: CallObserver): ActiveCall {
    const running = new MemoryCall(call, observer);
    const { connection, socket } = this.#usable() ?? this.#open(call.timeouts.connectMs);
    running.connection = connection;
    this.sent.push({ call, message: this.#currentMessage(), socket, from: socket.output.length });
    connection.run(running);
    return running;
  }

  released(connection: ClientConnection): void {
    this.#idle.push({ connection, socket: this.#socketOf.get(connection) as MemorySocket });
  }

  closed(connection: ClientConnection): void {
    this.#idle = this.#idle.filter((idle) => idle.connection !== connection);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  destroy(_error: ProxyError): void {}

  #usable(): { connection: ClientConnection; socket: MemorySocket } | undefined {
    const idle = this.#idle.pop();
    // Bytes on their way to a connection that waits for none end it when they come; a call that went out before would race them.
    return idle?.connection.isUsable === true && !idle.socket.hasUnread ? idle : undefined;
  }

  #open(connectMs: number): { connection: ClientConnection; socket: MemorySocket } {
    const socket = new MemorySocket(this.#habits);
    const connection = new ClientConnection(this, (events) => socket.open(events), connectMs);
    this.#socketOf.set(connection, socket);
    this.sockets.push(socket);
    connection.onConnect();
    // A connection that is told of its success before it has a call is idle; this one is about to be used.
    this.#idle.pop();
    return { connection, socket };
  }
}

class MemoryCall implements RunningCall, ActiveCall {
  readonly call: Call;
  readonly observer: CallObserver;
  done = false;
  connection: ClientConnection | null = null;

  constructor(call: Call, observer: CallObserver) {
    this.call = call;
    this.observer = observer;
  }

  cancel(): void {
    if (this.done) return;
    this.done = true;
    this.connection?.abandon();
  }
}
