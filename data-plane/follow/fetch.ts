import { create } from '@bufbuild/protobuf';

import { maxEnvelopeBytes, open, openLarge, seal } from '../../proto/bus/bus.js';
import {
  BlobReplySchema,
  BlobRequestSchema,
  ConfigReplySchema,
  ConfigRequestSchema,
  EndpointReplySchema,
  EndpointRequestSchema,
} from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { equalBytes, sha256 } from '../../proto/snapshot/snapshot.js';

import type { DescMessage, MessageShape } from '@bufbuild/protobuf';
import type { Bus, Subjects } from '../../proto/bus/bus.js';
import type {
  BlobRef,
  ConfigReply,
  ConfigVersion,
  EndpointReply,
  EndpointVersion,
} from '../../proto/gen/sluice/v1/snapshot_pb.js';

/** So many chunks of one blob are under way at a time. */
const parallelChunks = 4;
const maxBlobBytes = maxEnvelopeBytes;

/** The questions a node asks of control planes. Every method rejects with a sentence when there is no usable answer. */
export class Fetch {
  readonly #bus: Bus;
  readonly #subjects: Subjects;
  readonly #nodeId: string;
  readonly #timeoutMs: number;

  constructor(bus: Bus, subjects: Subjects, nodeId: string, timeoutMs: number) {
    this.#bus = bus;
    this.#subjects = subjects;
    this.#nodeId = nodeId;
    this.#timeoutMs = timeoutMs;
  }

  config(have: ConfigVersion | undefined, signal: AbortSignal): Promise<ConfigReply> {
    const { configRequest } = this.#subjects;
    const request = create(ConfigRequestSchema, { nodeId: this.#nodeId, ...(have === undefined ? {} : { have }) });
    return this.#ask(configRequest, seal(ConfigRequestSchema, request), ConfigReplySchema, signal);
  }

  endpoints(have: EndpointVersion | null, signal: AbortSignal): Promise<EndpointReply> {
    const { endpointRequest } = this.#subjects;
    const request = create(EndpointRequestSchema, { nodeId: this.#nodeId, ...(have === null ? {} : { have }) });
    return this.#ask(endpointRequest, seal(EndpointRequestSchema, request), EndpointReplySchema, signal);
  }

  /** The message whose envelope is the content of `ref`. */
  async blob<D extends DescMessage>(ref: BlobRef, schema: D, signal: AbortSignal): Promise<MessageShape<D>> {
    const content = await this.#content(ref, signal);
    const opened = await openLarge(schema, content);
    if ('fault' in opened) throw new Error(opened.fault);
    return opened.message;
  }

  async #content(ref: BlobRef, signal: AbortSignal): Promise<Uint8Array> {
    const size = Number(ref.sizeBytes);
    if (size > maxBlobBytes || ref.chunks > size + 1)
      throw new Error(`a blob of ${size} bytes in ${ref.chunks} chunks is not fetched`);
    const chunks: Uint8Array[] = [];
    let next = 0;
    const worker = async (): Promise<void> => {
      for (let index = next++; index < ref.chunks; index = next++)
        chunks[index] = await this.#chunk(ref, index, signal);
    };
    await Promise.all(Array.from({ length: Math.min(parallelChunks, ref.chunks) }, worker));
    const content = join(chunks, size);
    if (content === null || !equalBytes(sha256(content), ref.id))
      throw new Error('the chunks of a blob do not make it');
    return content;
  }

  /** From the replica that named it if that still is there, else from whoever has it. */
  async #chunk(ref: BlobRef, index: number, signal: AbortSignal): Promise<Uint8Array> {
    const request = seal(BlobRequestSchema, create(BlobRequestSchema, { id: ref.id, index }));
    let fault: unknown;
    for (const subject of this.#blobSubjects(ref.holder)) {
      try {
        const { reply } = await this.#ask(subject, request, BlobReplySchema, signal);
        if (reply.case === 'chunk') return reply.value;
        fault = new Error(reply.case === 'busy' ? 'who has a blob is busy' : 'a blob is not there any more');
      } catch (error) {
        signal.throwIfAborted();
        fault = error;
      }
    }
    throw fault;
  }

  #blobSubjects(holder: string): string[] {
    const { blobRequest } = this.#subjects;
    return holder === '' ? [blobRequest] : [this.#subjects.blobRequestOf(holder), blobRequest];
  }

  async #ask<D extends DescMessage>(
    subject: string,
    request: Uint8Array,
    schema: D,
    signal: AbortSignal,
  ): Promise<MessageShape<D>> {
    const opened = open(schema, await this.#bus.request(subject, request, { timeoutMs: this.#timeoutMs, signal }));
    if ('fault' in opened) throw new Error(opened.fault);
    return opened.message;
  }
}

function join(chunks: readonly Uint8Array[], size: number): Uint8Array | null {
  const content = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    if (at + chunk.length > size) return null;
    content.set(chunk, at);
    at += chunk.length;
  }
  return at === size ? content : null;
}
