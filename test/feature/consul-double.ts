import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';

export interface Asked {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly token: string | undefined;
  /** Whether the client is still there. */
  isOpen(): boolean;
}

/** `hang` never answers, `cut` breaks the connection within the answer. */
export type Scripted =
  | { readonly status?: number; readonly headers?: Readonly<Record<string, string>>; readonly body: string }
  | 'hang'
  | 'cut';

interface State {
  readonly index: number;
  readonly entries: readonly unknown[];
}

/** A Consul whose answers a test writes, for all that a healthy agent never says. Without a script it blocks as Consul does. */
export class ConsulDouble {
  readonly asked: Asked[] = [];
  /** Answers every request while it is set. */
  script: ((asked: Asked) => Scripted) | null = null;
  readonly #server: Server;
  readonly #states = new Map<string, State>();
  #changed = new AbortController();

  private constructor(tls: ServerOptions | null) {
    const listener = (request: IncomingMessage, response: ServerResponse): void => void this.#answer(request, response);
    this.#server = tls === null ? createHttpServer(listener) : createHttpsServer(tls, listener);
  }

  static async start(tls: ServerOptions | null = null): Promise<ConsulDouble> {
    const double = new ConsulDouble(tls);
    await once(double.#server.listen(0, '127.0.0.1'), 'listening');
    return double;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Sets what is known of some services, in one step. */
  set(index: number, services: Readonly<Record<string, readonly unknown[]>>): void {
    for (const [service, entries] of Object.entries(services)) this.#states.set(service, { index, entries });
    this.wake();
  }

  /** Ends all blocking, as when a script is set. */
  wake(): void {
    this.#changed.abort();
    this.#changed = new AbortController();
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    this.wake();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://double');
    const token = request.headers['x-consul-token'];
    const asked: Asked = {
      path: url.pathname,
      query: url.searchParams,
      token: typeof token === 'string' ? token : undefined,
      isOpen: () => !response.destroyed,
    };
    this.asked.push(asked);
    if (this.script === null) await this.#block(asked);
    const scripted = this.script === null ? this.#current(asked) : this.script(asked);
    if (scripted === 'hang') return;
    if (scripted === 'cut') {
      response.writeHead(200, answerHeaders(9, { 'content-length': '1000' }));
      response.write('[{', () => response.destroy());
      return;
    }
    response.writeHead(scripted.status ?? 200, scripted.headers ?? {});
    response.end(scripted.body);
  }

  async #block({ path, query }: Asked): Promise<void> {
    const waitMs = Number(query.get('wait')?.replace('ms', '') ?? 0);
    const endMs = performance.now() + waitMs;
    while (this.script === null && performance.now() < endMs) {
      if (this.#stateOf(path).index !== Number(query.get('index'))) return;
      await sleep(endMs - performance.now(), undefined, { signal: this.#changed.signal }).catch(() => undefined);
    }
  }

  #current({ path }: Asked): Scripted {
    const { index, entries } = this.#stateOf(path);
    return answer(index, entries);
  }

  #stateOf(path: string): State {
    return this.#states.get(path.split('/').at(-1) ?? '') ?? { index: 1, entries: [] };
  }
}

/** A good answer, unless `headers` say otherwise. */
export function answer(index: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Scripted {
  return { headers: answerHeaders(index, headers), body: JSON.stringify(body) };
}

function answerHeaders(index: number, more: Readonly<Record<string, string>>): Record<string, string> {
  return {
    'content-type': 'application/json',
    'x-consul-index': String(index),
    'x-consul-knownleader': 'true',
    'x-consul-lastcontact': '0',
    ...more,
  };
}

/** An instance as `/v1/health/service` lists it. */
export function entry(id: string, port: number, status = 'passing'): Readonly<Record<string, unknown>> {
  return {
    Node: { Node: 'n', Address: '10.0.0.1' },
    Service: { ID: id, Address: '', Port: port, Tags: [], Weights: { Passing: 1, Warning: 1 } },
    Checks: [{ CheckID: `service:${id}`, Name: 'alive', Status: status, Notes: '' }],
  };
}
