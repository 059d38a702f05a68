import type { Resource } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { Problem } from '../../proto/snapshot/problem.js';
import { RouteMetrics } from '../ops/ops.js';
import { compileConfig, type CompiledConfig } from '../runtime/compile.js';
import { SchemaCache } from '../runtime/runtime.js';
import type { ActiveCall, Call, CallObserver, Transport } from '../upstream/transport.js';
import { Upstream } from '../upstream/upstream.js';

/** A config compiled to be looked at. Requests may be put through it: what it would send is noted, and nothing is sent. */
export interface Review {
  readonly config: CompiledConfig;
  /** Anything in here means that no node would run it. */
  readonly problems: readonly Problem[];
  readonly sent: SentCalls;
}

/** Where the transports of a review put calls instead of sending them. */
export class SentCalls {
  readonly #heard = new WeakMap<object, Call>();
  readonly #waiting = new WeakMap<object, (call: Call) => void>();

  note(observer: object, call: Call): void {
    this.#heard.set(observer, call);
    this.#waiting.get(observer)?.(call);
  }

  /** Calls `sent` with what this observer sends, or has sent. */
  listen(observer: object, sent: (call: Call) => void): void {
    const call = this.#heard.get(observer);
    if (call === undefined) this.#waiting.set(observer, sent);
    else sent(call);
  }
}

/** An address that gives services their one endpoint, so that none of them lacks one. */
export const someEndpoint = { id: 'endpoint', address: 'endpoint.invalid', port: 80, weight: 1, suspect: false };

/** Compiles configs by the very steps of a node; schemas that did not change are compiled once. */
export class Reviewer {
  readonly #schemas = new SchemaCache();
  #last: { readonly resources: readonly Resource[]; readonly review: Review } | null = null;

  /** The same list gives the same review again. */
  review(resources: readonly Resource[]): Review {
    if (this.#last?.resources === resources) return this.#last.review;
    const sent = new SentCalls();
    const config = compileConfig(resources, {
      upstream: () => notingUpstream(sent),
      metrics: () => new RouteMetrics(),
      schemas: this.#schemas,
    });
    const review = { config, problems: config.problems, sent };
    this.#last = { resources, review };
    return review;
  }
}

function notingUpstream(sent: SentCalls): Upstream {
  const upstream = new Upstream(
    () => new NotingTransport(sent),
    someEndpoint.port,
    () => 0,
  );
  upstream.setEndpoints([someEndpoint]);
  return upstream;
}

class NotingTransport implements Transport {
  readonly #sent: SentCalls;

  constructor(sent: SentCalls) {
    this.#sent = sent;
  }

  send(call: Call, observer: CallObserver): ActiveCall {
    this.#sent.note(observer, call);
    return { cancel: () => undefined };
  }

  async close(): Promise<void> {}

  destroy(): void {}
}
