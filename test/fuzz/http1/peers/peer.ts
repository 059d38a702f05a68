import type { RunningServer } from '../../../../deploy/servers/servers.js';
import type { Message } from '../oracle/reading.js';
import { exchange } from './exchange.js';
import { Player } from './player.js';
import { Recorder, recordField } from './recorder.js';
import { startPeer, type PeerName, type PeerPorts } from './servers.js';

export type { PeerName } from './servers.js';

/** What a peer made of one request: the request that it sent on, or how it refused. */
export type Understood = { readonly record: Message } | { readonly refused: string };

/** Another proxy between us and services that record requests and play answers. */
export class Peer {
  readonly name: PeerName;
  readonly #server: RunningServer;
  readonly #ports: PeerPorts;
  readonly #services: PeerServices;

  private constructor(name: PeerName, server: RunningServer, ports: PeerPorts, services: PeerServices) {
    this.name = name;
    this.#server = server;
    this.#ports = ports;
    this.#services = services;
  }

  static async start(name: PeerName): Promise<Peer> {
    const services = { recorder: new Recorder(), rawRecorder: new Recorder(), player: new Player() };
    const { recorder, rawRecorder, player } = services;
    try {
      const at = {
        recorder: await recorder.start(),
        rawRecorder: await rawRecorder.start(),
        player: await player.start(),
      };
      const { server, ports } = await startPeer(name, at);
      return new Peer(name, server, ports, services);
    } catch (error) {
      await closeAll(services);
      throw error;
    }
  }

  get version(): string {
    return `${this.name} ${this.#server.version}`.trim();
  }

  /**
   * Sends requests behind each other, on one connection as long as the peer keeps it, and tells for each what became of it.
   * `extra` are requests that reached the service and belong to none.
   */
  async ask(
    requests: readonly string[],
  ): Promise<{ readonly understood: readonly Understood[]; readonly extra: readonly Message[] }> {
    const { recorder } = this.#services;
    recorder.clear();
    const answers = await this.#askAll(this.#ports.recorder, requests);
    const understood = answers.map((answer) => outcome(answer, recorder));
    const used = new Set(understood.map((each) => ('record' in each ? each.record : null)));
    return { understood, extra: recorder.records.filter((record) => !used.has(record)) };
  }

  /** What a client of the peer gets of answers that a service gives; `isHead` where it asks for the head alone. */
  async play(
    answers: readonly { readonly wire: string; readonly isHead: boolean }[],
  ): Promise<readonly (Message | null)[]> {
    this.#services.player.answers = answers.map(({ wire }) => wire);
    return this.#askAll(
      this.#ports.player,
      answers.map(({ isHead }, i) => `${isHead ? 'HEAD' : 'GET'} /${i} HTTP/1.1\r\nHost: a\r\n\r\n`),
    );
  }

  /** Sends what a client sent, on a connection of its own, and tells what became of its first `count` requests, as far as answered. */
  async askRaw(text: string, count: number, isHead: (index: number) => boolean): Promise<Understood[]> {
    const answers = await exchange(this.#ports.rawRecorder, text, isHead, count);
    return answers.map((answer) => outcome(answer, this.#services.rawRecorder));
  }

  /** Between calls of `askRaw`, none of which is running: forgets what it was asked. */
  forget(): void {
    this.#services.rawRecorder.clear();
  }

  async close(): Promise<void> {
    await this.#server.stop();
    await closeAll(this.#services);
  }

  /** An answer for each request; null where the peer closed without one. */
  async #askAll(port: number, requests: readonly string[]): Promise<(Message | null)[]> {
    const answers: (Message | null)[] = [];
    while (answers.length < requests.length) {
      const rest = requests.slice(answers.length);
      const some = await exchange(port, rest.join(''), (i) => rest[i]?.startsWith('HEAD ') === true, rest.length);
      answers.push(...some);
      if (some.length === 0) answers.push(null);
    }
    return answers.slice(0, requests.length);
  }
}

interface PeerServices {
  /** For requests that are known to end where we say, so that each that arrives has to be one of them. */
  readonly recorder: Recorder;
  /** For what clients sent: the rest of it may still arrive when nobody asks any more. */
  readonly rawRecorder: Recorder;
  readonly player: Player;
}

async function closeAll({ recorder, rawRecorder, player }: PeerServices): Promise<void> {
  await Promise.all([recorder.close(), rawRecorder.close(), player.close()]);
}

function outcome(answer: Message | null, recorder: Recorder): Understood {
  if (answer === null) return { refused: 'closed' };
  const at = answer.fields.findIndex((name, i) => i % 2 === 0 && name.toLowerCase() === recordField);
  const record = at < 0 ? undefined : recorder.records[Number(answer.fields[at + 1])];
  return record === undefined ? { refused: String(answer.status) } : { record };
}
