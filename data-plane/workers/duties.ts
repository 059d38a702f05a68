import { create, fromBinary } from '@bufbuild/protobuf';
import { EndpointSetSchema, ResourceSchema } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { Problem } from '../../proto/snapshot/problem.js';
import type { DataPlaneConfig } from '../config.js';
import type { PreparedConfig } from '../runtime/runtime.js';
import type { LocalServing, ServingParts } from '../serving.js';
import type { Call, FromWorker, PageName, PlainResource, ToWorker, Word } from './messages.js';

const reportMs = 1_000;

/** What a worker serves with. */
export interface WorkerServing extends Pick<
  LocalServing,
  | 'prepareConfig'
  | 'applyEndpoints'
  | 'listen'
  | 'connections'
  | 'certificates'
  | 'metrics'
  | 'hearProbe'
  | 'openApi'
  | 'retire'
  | 'stopSteps'
  | 'destroy'
> {
  readonly debug: Readonly<Record<PageName, () => unknown>>;
}

export type MakeServing = (config: DataPlaneConfig, parts: ServingParts) => WorkerServing;

/** What a worker does: serves requests by what the primary process says, and answers it. It decides nothing. */
export class Duties {
  readonly #make: MakeServing;
  readonly #send: (message: FromWorker) => void;
  #serving: WorkerServing | null = null;
  #prepared: PreparedConfig | null = null;
  #registryIsSilent = false;
  #reports: NodeJS.Timeout | undefined;

  constructor(make: MakeServing, send: (message: FromWorker) => void) {
    this.#make = make;
    this.#send = send;
  }

  hear(message: ToWorker): void {
    if ('word' in message) this.#obey(message.word);
    else void this.#answer(message.id, message.call);
  }

  #obey(word: Word): void {
    switch (word.kind) {
      case 'discard':
        this.#prepared = null;
        return;
      case 'endpoints':
        return this.#started.applyEndpoints(
          word.changed.map((bytes) => fromBinary(EndpointSetSchema, bytes)),
          word.removed,
        );
      case 'registry':
        this.#registryIsSilent = word.silent;
        return;
      case 'probe':
        return this.#started.hearProbe(word.news);
      case 'retire':
        return this.#started.retire();
    }
  }

  async #answer(id: number, call: Call): Promise<void> {
    try {
      this.#send({ kind: 'answer', id, value: await this.#do(call) });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#send({ kind: 'fault', id, reason, problem: problemOf(error) });
    }
  }

  #do(call: Call): unknown {
    switch (call.kind) {
      case 'start':
        return this.#start(call);
      case 'prepare':
        return this.#prepare(call.resources);
      case 'commit':
        return this.#commit();
      case 'listen':
        return this.#started.listen();
      case 'report':
        return this.#report();
      case 'page':
        return this.#started.debug[call.name]();
      case 'openapi':
        return this.#started.openApi(call.request);
      case 'stop':
        return this.#stop();
    }
  }

  get #started(): WorkerServing {
    if (this.#serving === null) throw new Error('the worker has not been started');
    return this.#serving;
  }

  #start({ config, tls }: Extract<Call, { kind: 'start' }>): void {
    const say =
      (level: 'info' | 'warn') =>
      (message: string, fields: Readonly<Record<string, unknown>> = {}) =>
        this.#send({ kind: 'log', level, message, fields });
    const log = { info: say('info'), warn: say('warn') };
    this.#serving = this.#make(config, {
      log,
      tls,
      registryIsSilent: () => this.#registryIsSilent,
      tellProbe: (news) => this.#send({ kind: 'probe', news }),
    });
    this.#reports = setInterval(() => this.#report(), reportMs);
    this.#reports.unref();
  }

  #prepare(resources: readonly PlainResource[]): void {
    this.#prepared = this.#started.prepareConfig(resources.map((resource) => create(ResourceSchema, resource)));
  }

  #commit(): void {
    if (this.#prepared === null) throw new Error('no config is prepared');
    this.#prepared.commit();
    this.#prepared = null;
  }

  #report(): void {
    const { connections, certificates } = this.#started;
    this.#send({ kind: 'report', report: { counted: this.#started.metrics().take(), connections, certificates } });
  }

  async #stop(): Promise<void> {
    for (const { stop } of this.#started.stopSteps) await stop();
    this.#started.destroy();
    clearInterval(this.#reports);
    this.#report();
  }
}

function problemOf(error: unknown): Problem | null {
  if (typeof error !== 'object' || error === null || !('problem' in error)) return null;
  return error.problem as Problem;
}
