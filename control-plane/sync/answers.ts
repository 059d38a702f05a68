import { availableParallelism } from 'node:os';

import { create } from '@bufbuild/protobuf';

import { open, seal, sealLarge } from '../../proto/bus/bus.js';
import {
  BlobReplySchema,
  BlobRequestSchema,
  ConfigReplySchema,
  ConfigRequestSchema,
  ConfigSnapshotSchema,
  EndpointReplySchema,
  EndpointRequestSchema,
  EndpointSnapshotSchema,
} from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { equalBytes } from '../../proto/snapshot/snapshot.js';
import { snapshotOf } from './config-feed.js';

import type { DescMessage, MessageInitShape, MessageShape } from '@bufbuild/protobuf';
import type { BlobRef, ConfigVersion } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { State } from '../store/store.js';
import type { Blobs } from './blobs.js';
import type { ConfigFeed } from './config-feed.js';
import type { EndpointFeed } from './endpoint-feed.js';

/** A node that fetches no last chunk is taken to have given up. */
const sessionMs = 2_000;
const busy = { case: 'busy', value: { retryAfterMs: 300 } } as const;

type ConfigReplyInit = NonNullable<MessageInitShape<typeof ConfigReplySchema>['reply']>;
type EndpointReplyInit = NonNullable<MessageInitShape<typeof EndpointReplySchema>['reply']>;

interface MadeBlob {
  /** The state or digest it was made of, by identity. */
  readonly of: object;
  readonly ref: Promise<BlobRef>;
  /** Whether it had to make room for others. */
  readonly dropped: () => boolean;
}

/**
 * Answers what nodes ask, from memory alone, so that it goes on while the database is down. At most so many nodes fetch a snapshot
 * at a time; the others are told when to ask again. A rejection means that the question could not be read.
 */
export class Answers {
  readonly #config: ConfigFeed;
  readonly #endpoints: EndpointFeed;
  readonly #blobs: Blobs;
  readonly #highestEpoch: () => bigint;
  readonly #maxSessions = 15 + 5 * availableParallelism();
  /** When each of the snapshots that are being fetched counts as given up, oldest first. */
  readonly #sessions: number[] = [];
  #configBlob: MadeBlob | null = null;
  #endpointBlob: MadeBlob | null = null;

  constructor(config: ConfigFeed, endpoints: EndpointFeed, blobs: Blobs, highestEpoch: () => bigint) {
    this.#config = config;
    this.#endpoints = endpoints;
    this.#blobs = blobs;
    this.#highestEpoch = highestEpoch;
  }

  async config(request: Uint8Array): Promise<Uint8Array> {
    const { have } = read(ConfigRequestSchema, request);
    const reply = await this.#configReply(have);
    return seal(ConfigReplySchema, create(ConfigReplySchema, { reply, epoch: this.#highestEpoch() }));
  }

  async endpoints(request: Uint8Array): Promise<Uint8Array> {
    const { have } = read(EndpointRequestSchema, request);
    const { version } = this.#endpoints;
    const reply = await this.#endpointReply(version.digest, have?.digest);
    return seal(EndpointReplySchema, create(EndpointReplySchema, { reply, version }));
  }

  async blob(request: Uint8Array): Promise<Uint8Array> {
    const { id, index } = read(BlobRequestSchema, request);
    const found = this.#blobs.answer(id, index);
    if (found === null)
      return seal(BlobReplySchema, create(BlobReplySchema, { reply: { case: 'unknown', value: {} } }));
    if (this.#blobs.answer(id, index + 1) === null) this.#sessions.shift();
    return found;
  }

  async #configReply(have: ConfigVersion | undefined): Promise<ConfigReplyInit> {
    const answer = this.#config.answer(have);
    switch (answer.kind) {
      case 'unchanged':
        return { case: 'unchanged', value: {} };
      case 'patches':
        return { case: 'patches', value: { patches: [...answer.patches] } };
      case 'behind':
        return busy;
      case 'snapshot':
        if (!this.#admit()) return busy;
        return { case: 'snapshot', value: await this.#configSnapshot(answer.state) };
      default:
        return answer satisfies never;
    }
  }

  async #endpointReply(digest: Uint8Array, have: Uint8Array | undefined): Promise<EndpointReplyInit> {
    if (have !== undefined && equalBytes(have, digest)) return { case: 'unchanged', value: {} };
    if (!this.#admit()) return busy;
    return { case: 'snapshot', value: await this.#endpointSnapshot(digest) };
  }

  /** One blob for all who ask while the state is the same; the same for the endpoints below. */
  #configSnapshot(state: State): Promise<BlobRef> {
    this.#configBlob = this.#current(this.#configBlob, state, () => sealLarge(ConfigSnapshotSchema, snapshotOf(state)));
    return this.#configBlob.ref;
  }

  #endpointSnapshot(digest: Uint8Array): Promise<BlobRef> {
    const content = (): Promise<Uint8Array> => sealLarge(EndpointSnapshotSchema, this.#endpoints.snapshot());
    this.#endpointBlob = this.#current(this.#endpointBlob, digest, content);
    return this.#endpointBlob.ref;
  }

  #current(last: MadeBlob | null, of: object, content: () => Promise<Uint8Array>): MadeBlob {
    if (last?.of === of && !last.dropped()) return last;
    let made: BlobRef | undefined;
    const ref = content().then((bytes) => (made = this.#blobs.put(bytes)));
    return { of, ref, dropped: () => made !== undefined && this.#blobs.answer(made.id, 0) === null };
  }

  #admit(): boolean {
    const nowMs = performance.now();
    while (this.#sessions[0] !== undefined && this.#sessions[0] <= nowMs) this.#sessions.shift();
    if (this.#sessions.length >= this.#maxSessions) return false;
    this.#sessions.push(nowMs + sessionMs);
    return true;
  }
}

function read<D extends DescMessage>(schema: D, bytes: Uint8Array): MessageShape<D> {
  const opened = open(schema, bytes);
  if ('fault' in opened) throw new Error(opened.fault);
  return opened.message;
}
