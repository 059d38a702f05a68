import { ClientTrust } from '../../../../data-plane/client-trust.js';
import type { Exchange, ExchangeSummary, RequestHandler, RequestObserver } from '../../../../data-plane/exchange.js';
import { ServerConnection, type ListenerContext } from '../../../../data-plane/listener/connection.js';
import { HttpDate } from '../../../../data-plane/listener/http-date.js';
import { defaultLimits, type ListenerLimits } from '../../../../data-plane/listener/limits.js';
import { SecureContexts } from '../../../../data-plane/listener/listener.js';
import { RequestIds } from '../../../../data-plane/listener/request-id.js';
import { Metrics } from '../../../../data-plane/ops/ops.js';
import { Proxy } from '../../../../data-plane/proxy.js';
import { RuntimeHolder } from '../../../../data-plane/runtime/runtime.js';
import type { ByteSocket, SocketEvents } from '../../../../data-plane/socket/socket.js';
import { TimerWheel } from '../../../../data-plane/wheel.js';
import { endpoints, resources } from './config.js';
import { MemorySocket, type SocketHabits } from './socket.js';
import { MemoryTransport, type SentCall } from './transport.js';

/** Small, so that inputs of some hundred bytes come to every limit. */
export const wireLimits = { maxHeadBytes: 4_096, maxFieldBytes: 1_024, maxFields: 32, maxTargetBytes: 512 } as const;

export interface Answer {
  readonly pieces: readonly Buffer[];
  /** What the service does then with the connection. */
  readonly after: 'keeps' | 'ends' | 'resets';
}

/** One client's connection and what its service says. */
export interface Script {
  readonly requests: readonly Buffer[];
  /** What the service sends when it sees call `index`; null when the request is not complete. */
  answer(index: number, sent: SentCall, written: string): Answer | null;
  readonly habits: SocketHabits;
}

/** What became of a script. */
export interface Run {
  /** What went to the service, in order; `message` is the place of its request among the client's. */
  readonly calls: readonly { readonly message: number; readonly wire: string; readonly upgrade: boolean }[];
  /** What the client got. */
  readonly answers: string;
  readonly clientCut: boolean;
  /** Pieces of the client's that were not read. */
  readonly unread: number;
  /** What is wrong whatever the bytes were: an exchange that never finished, a connection left open. */
  readonly faults: readonly string[];
}

/**
 * The gateway of one node from the client's socket to the service's, but for the kernel: the listener's connections, the proxy with
 * a route that takes everything, the upstream's connections. Time stands still.
 */
export class MemoryGateway implements RequestHandler {
  readonly #wheel = new TimerWheel(() => 0);
  readonly #transport = new MemoryTransport(this.#wheel, wireLimits);
  readonly #runtime: RuntimeHolder;
  readonly #proxy: Proxy;
  /** The place of the request in hand among those of its connection. */
  #message = -1;
  #begun = 0;
  #finished = 0;
  #closed = 0;

  constructor() {
    this.#wheel.close();
    const metrics = new Metrics();
    const certificates = new SecureContexts({ ticketKeys: Buffer.alloc(48), fallback: null });
    this.#runtime = new RuntimeHolder({ metrics, certificates, random: () => 0.5, transport: () => this.#transport });
    this.#runtime.applyEndpoints([endpoints]);
    this.#runtime.applyConfig(resources);
    this.#proxy = new Proxy({
      current: () => this.#runtime.current(),
      trust: new ClientTrust([]),
      metrics,
      timers: this.#wheel,
      latencyHeaders: false,
      tlsPort: () => null,
      nowMs: () => 0,
    });
  }

  run(script: Script): Run {
    this.#begun = 0;
    this.#finished = 0;
    this.#closed = 0;
    this.#transport.begin(script.habits, () => this.#message);
    const client = new MemorySocket(script.habits);
    // Held so that the connection lives as long as the run.
    const connection = new ServerConnection((events) => client.open(events), null, this.#context());
    client.give(script.requests);
    client.giveEnd();
    this.#play(client, script);
    const faults = this.#faults(client);
    const calls = this.#transport.sent.map((sent) => ({
      message: sent.message,
      wire: this.#written(sent),
      upgrade: sent.call.upgrade !== null,
    }));
    const run = { calls, answers: client.output, clientCut: client.wasReset, unread: client.unread, faults };
    connection.destroy();
    client.step();
    return run;
  }

  handle(exchange: Exchange): RequestObserver {
    this.#begun++;
    // Ids count the connection's requests, also those that are refused before they come here.
    this.#message = parseInt(exchange.id.slice(-7), 16);
    const observer = this.#proxy.handle(exchange);
    return {
      aborted: (error) => observer.aborted(error),
      finished: (summary: ExchangeSummary) => {
        this.#finished++;
        observer.finished(summary);
      },
    };
  }

  #context(): ListenerContext {
    const closed = (): void => void this.#closed++;
    const speaksHttp2 = (_connection: ServerConnection, socket: ByteSocket): void => {
      this.#closed++;
      socket.handOver(nobody);
      socket.destroy();
    };
    return {
      handler: this,
      limits,
      wheel: this.#wheel,
      ids: new RequestIds(0, 0),
      date: new HttpDate(),
      phase: 'open',
      closed,
      speaksHttp2,
    };
  }

  /** Everything that can happen happens; the service answers when nothing else does. */
  #play(client: MemorySocket, script: Script): void {
    let answered = 0;
    for (let turns = 0; turns < maxTurns; turns++) {
      let progress = client.step();
      for (const socket of this.#transport.sockets) progress = socket.step() || progress;
      if (progress) continue;
      const { sent } = this.#transport;
      const next = sent[answered];
      if (next === undefined) return;
      const answer = next.socket.destroyed ? null : script.answer(answered, next, this.#written(next));
      if (answer !== null) {
        next.socket.give(answer.pieces);
        if (answer.after !== 'keeps') next.socket.giveEnd(answer.after === 'resets');
      } else if (answered + 1 >= sent.length) {
        return;
      }
      answered++;
    }
  }

  #written({ socket, from }: SentCall): string {
    const next = this.#transport.sent.find((other) => other.socket === socket && other.from > from);
    return socket.output.slice(from, next?.from);
  }

  #faults(client: MemorySocket): string[] {
    const faults: string[] = [];
    const service = this.#runtime.upstream('all');
    if (!client.isClosed) faults.push('the client has ended and its connection is open');
    if (this.#closed !== (client.isClosed ? 1 : 0))
      faults.push(`the connection was reported closed ${this.#closed} times`);
    if (this.#finished !== this.#begun) faults.push(`${this.#finished} of ${this.#begun} exchanges finished`);
    const inFlight = [
      service?.requestsInFlight,
      ...(service?.endpoints.map((endpoint) => endpoint.requestsInFlight) ?? []),
    ];
    if (inFlight.some((count) => count !== 0)) faults.push(`requests in flight are counted as ${inFlight.join(', ')}`);
    return faults;
  }
}

/** Far more than any script needs: a run that takes this many goes in a circle. */
const maxTurns = 100_000;

/** Takes a connection that turns out to speak HTTP/2: another fuzzer's matter. */
const nobody: SocketEvents = {
  onConnect: () => {},
  onBytes: () => {},
  onDrain: () => {},
  onPeerEnd: () => {},
  onClose: () => {},
};

const limits: ListenerLimits = { ...defaultLimits, ...wireLimits };
