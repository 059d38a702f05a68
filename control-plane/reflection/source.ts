import { create } from '@bufbuild/protobuf';
import { durationMs, timestampFromMs } from '@bufbuild/protobuf/wkt';

import { EndpointState, ReflectionStatusSchema } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { sha256 } from '../../proto/snapshot/snapshot.js';
import { EndpointReader } from './endpoint.js';
import { decide } from './verdict.js';

import type { Schema, Service } from '../../proto/gen/sluice/v1/config_pb.js';
import type { Endpoint, EndpointSet, ReflectionStatus } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { ReadLimits } from './endpoint.js';
import type { Finding } from './verdict.js';

/** A schema to read, and the service to read it from, as the config has them. */
export interface Wanted {
  readonly schema: Schema;
  readonly service: Service;
  /** Null while the registry has not answered. */
  readonly endpoints: EndpointSet | null;
}

export interface SourceTimes {
  /** Between rounds where the schema does not say. */
  readonly intervalMs: number;
  /** After a round that leaves something open; doubled from one to the next, up to the interval. */
  readonly retryMs: number;
  /** Between two rounds, whatever happens. */
  readonly gapMs: number;
}

export interface SourceParts {
  readonly times: SourceTimes;
  readonly limits: ReadLimits;
  /**
   * Puts the descriptors into the config; rejects when they do not fit there. What `update` is told from then on has them, unless
   * somebody has applied another config since.
   */
  adopt(schema: string, service: string, descriptorSet: Uint8Array): Promise<void>;
}

/** A large fleet is not asked as a whole: these are enough to see a rollout. */
const maxEndpoints = 64;
const parallelReads = 4;

/** Reads one schema from the endpoints of its service, round by round, and remembers what it must from one to the next. */
export class SchemaSource {
  readonly #parts: SourceParts;
  #wanted: Wanted;
  #key: string;
  /** The digest that was last in force or was put there by us. */
  #current: string;
  /** What that is the digest of; a large one is not digested each time. */
  #seen: Uint8Array;
  #status: ReflectionStatus;
  /** Of the last round: they notice when an endpoint goes away. */
  #readers: readonly EndpointReader[] = [];
  /** Of the round that is under way. */
  #reading: readonly EndpointReader[] = [];
  #closed = false;
  #held = { digest: '', rounds: 0 };
  #openRounds = 0;
  #lastStartMs = -Infinity;
  #dueMs = -Infinity;
  #running = false;

  constructor(parts: SourceParts, wanted: Wanted, before: ReflectionStatus | null) {
    this.#parts = parts;
    this.#wanted = wanted;
    this.#key = keyOf(wanted);
    this.#seen = wanted.schema.descriptorSet;
    this.#current = digestOf(this.#seen);
    const { name, reflect } = wanted.schema;
    this.#status =
      before?.service === reflect?.service && before !== null
        ? before
        : create(ReflectionStatusSchema, { schema: name, service: reflect?.service ?? '' });
  }

  /** Of the last round. */
  get status(): ReflectionStatus {
    return this.#status;
  }

  isDue(nowMs: number): boolean {
    return !this.#running && nowMs >= Math.max(this.#dueMs, this.#lastStartMs + this.#parts.times.gapMs);
  }

  /** Anything that may change the outcome begins a round soon. */
  update(wanted: Wanted): void {
    const key = keyOf(wanted);
    const { descriptorSet } = wanted.schema;
    if (descriptorSet !== this.#seen) {
      const digest = digestOf(descriptorSet);
      if (digest !== this.#current) this.#soon();
      this.#current = digest;
      this.#seen = descriptorSet;
    }
    this.#wanted = wanted;
    if (key === this.#key) return;
    this.#key = key;
    this.#openRounds = 0;
    this.#soon();
    // Nobody wants to know any more what those say that are being asked.
    closeAll(this.#reading);
  }

  /** Asks the endpoints and acts on what they say; never rejects. */
  async round(nowMs: () => number): Promise<void> {
    this.#running = true;
    this.#lastStartMs = nowMs();
    this.#dueMs = Infinity;
    const key = this.#key;
    try {
      await this.#ask();
    } finally {
      this.#running = false;
      // What changed meanwhile made it due already.
      if (this.#dueMs === Infinity) this.#dueMs = key === this.#key ? nowMs() + this.#delayMs() : -Infinity;
    }
  }

  close(): void {
    this.#closed = true;
    closeAll(this.#readers);
    closeAll(this.#reading);
  }

  #soon(): void {
    this.#dueMs = -Infinity;
  }

  #delayMs(): number {
    const { times } = this.#parts;
    const { interval } = this.#wanted.schema.reflect ?? {};
    const intervalMs = interval === undefined ? times.intervalMs : durationMs(interval);
    const wait =
      this.#openRounds === 0 ? intervalMs : Math.min(intervalMs, times.retryMs * 2 ** (this.#openRounds - 1));
    return wait * (0.9 + Math.random() * 0.2);
  }

  async #ask(): Promise<void> {
    const { schema, service, endpoints } = this.#wanted;
    const asked = (endpoints?.endpoints ?? []).filter(takesRequests).slice(0, maxEndpoints);
    const key = this.#key;
    const { findings, sets } = await this.#read(service, asked);
    if (this.#closed || key !== this.#key) return;
    const pinned = schema.reflect?.pinnedDigest ?? '';
    const current = this.#current;
    const { take, disagreement, error } = decide(findings, { current, pinned, held: this.#heldRounds(findings) });
    const set = take === null ? undefined : sets.get(take);
    const refusal = set === undefined ? '' : await this.#adopt(set, take ?? '');
    const lastError = refusal || error;
    this.#openRounds = lastError === '' && !findings.some((finding) => finding.error !== '') ? 0 : this.#openRounds + 1;
    const now = timestampFromMs(Date.now());
    const succeeded = lastError === '' ? now : this.#status.lastSuccess;
    this.#status = create(ReflectionStatusSchema, {
      schema: schema.name,
      service: service.name,
      lastAttempt: now,
      ...(succeeded === undefined ? {} : { lastSuccess: succeeded }),
      lastError,
      disagreement,
      endpoints: asked.map((endpoint, i) => ({
        id: endpoint.id,
        address: `${endpoint.address.includes(':') ? `[${endpoint.address}]` : endpoint.address}:${endpoint.port}`,
        digest: findings[i]?.digest ?? '',
        error: findings[i]?.error ?? '',
      })),
    });
  }

  /** For how many rounds the same new descriptors have waited for endpoints that cannot be read. */
  #heldRounds(findings: readonly Finding[]): number {
    const digests = new Set(findings.map(({ digest }) => digest).filter((digest) => digest !== ''));
    const [digest = ''] = digests.size === 1 ? digests : [];
    const rounds = digest !== '' && digest === this.#held.digest ? this.#held.rounds + 1 : 0;
    this.#held = { digest, rounds };
    return rounds;
  }

  /** Connections of the round before end when their successors stand, so that a restart in between is seen. */
  async #read(
    service: Service,
    endpoints: readonly Endpoint[],
  ): Promise<{ findings: Finding[]; sets: Map<string, Uint8Array> }> {
    const readers = endpoints.map((endpoint) => new EndpointReader(service, endpoint));
    this.#reading = readers;
    const findings: Finding[] = endpoints.map(() => ({ digest: '', error: '' }));
    const sets = new Map<string, Uint8Array>();
    const queue = [...readers.entries()];
    const work = async (): Promise<void> => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const [i, reader] = next;
        const { descriptorSet, error } = await reader.read(this.#parts.limits);
        const digest = descriptorSet === null ? '' : digestOf(descriptorSet);
        if (descriptorSet !== null) sets.set(digest, descriptorSet);
        findings[i] = { digest, error };
      }
    };
    await Promise.all(Array.from({ length: parallelReads }, work));
    closeAll(this.#readers);
    this.#readers = readers;
    this.#reading = [];
    if (this.#closed) closeAll(readers);
    for (const reader of readers) reader.watch(() => this.#soon());
    return { findings, sets };
  }

  /** Why the config does not take the descriptors; '' when it does. */
  async #adopt(set: Uint8Array, digest: string): Promise<string> {
    const { schema, service } = this.#wanted;
    const before = this.#current;
    this.#current = digest;
    try {
      await this.#parts.adopt(schema.name, service.name, set);
      this.#seen = set;
      return '';
    } catch (error) {
      this.#current = before;
      return (error instanceof Error ? error.message : String(error)).slice(0, 1_000);
    }
  }
}

function closeAll(readers: readonly EndpointReader[]): void {
  for (const reader of readers) reader.close();
}

function takesRequests({ state }: Endpoint): boolean {
  return state === EndpointState.ACTIVE || state === EndpointState.SUSPECT;
}

function digestOf(descriptorSet: Uint8Array): string {
  return descriptorSet.length === 0 ? '' : Buffer.from(sha256(descriptorSet)).toString('hex');
}

/** What the outcome of a round depends on, beside the endpoints' own words. */
function keyOf({ schema, service, endpoints }: Wanted): string {
  const { reflect } = schema;
  const { protocol, host, tls } = service;
  return JSON.stringify([
    [reflect?.service, reflect?.pinnedDigest, String(reflect?.interval?.seconds), reflect?.interval?.nanos],
    [protocol, host, tls?.caPem, tls?.serverName, tls?.skipVerify, tls?.certPem, tls?.keyPem],
    (endpoints?.endpoints ?? []).filter(takesRequests).map(({ id, address, port }) => [id, address, port]),
  ]);
}
