import { compareNames, findResource } from '../../proto/snapshot/snapshot.js';
import { AdminError, code } from '../errors.js';
import { fromResource, kindOf } from './convert.js';
import { cutPage, pageMark } from './paging.js';
import { toShow } from './secrets.js';

import type { DeleteRequest, GetRequest, ListRequest } from '../../proto/gen/sluice/v1/admin_pb.js';
import type { Resource } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import type { State, Store } from '../store/store.js';
import type { ConfigMessage, ResourceKind } from './convert.js';
import type { CallContext } from './grpc/grpc.js';
import type { Put } from './plan.js';
import type { ConfigWriter } from './writer.js';

export interface ResourceList<M> {
  readonly items: M[];
  readonly nextPageToken: string;
  readonly revision: bigint;
}

export interface UpdateOptions {
  readonly etag: string;
  readonly allowMissing: boolean;
}

/** Create, get, update, delete and list: the same for every kind of resource. */
export class ResourceApi<M extends ConfigMessage> {
  readonly #row: ResourceKind<M>;
  readonly #store: Store;
  readonly #writer: ConfigWriter;

  constructor(row: ResourceKind<M>, store: Store, writer: ConfigWriter) {
    this.#row = row;
    this.#store = store;
    this.#writer = writer;
  }

  create(message: M | undefined, call: CallContext): Promise<M> {
    return this.#put(message, call, (stored, name) => {
      if (stored !== undefined) {
        throw new AdminError(code.alreadyExists, 'ALREADY_EXISTS', `There is a ${this.#row.word} "${name}" already.`);
      }
    });
  }

  update(message: M | undefined, { etag, allowMissing }: UpdateOptions, call: CallContext): Promise<M> {
    return this.#put(message, call, (stored, name) => {
      if (stored === undefined && !(allowMissing && etag === '')) throw this.#notFound(name);
      this.#checkEtag(stored, etag);
    });
  }

  async delete({ name, etag }: DeleteRequest, call: CallContext): Promise<void> {
    await this.#writer.write(call.peer, (state) => {
      const stored = this.#find(state, name);
      if (stored === undefined) throw this.#notFound(name);
      this.#checkEtag(stored, etag);
      return { puts: [], deletes: [{ kind: this.#row.kind, name }] };
    });
  }

  async get({ name }: GetRequest): Promise<M> {
    return this.#message(await this.#store.read(), name);
  }

  async list(request: ListRequest): Promise<ResourceList<M>> {
    const mark = pageMark(request, this.#row.word);
    const { resources, version } = await this.#store.read();
    const rest = resources.filter(
      ({ kind, name }) => kind === this.#row.kind && (mark === null || compareNames(name, mark) > 0),
    );
    const page = cutPage(rest, request, {
      list: this.#row.word,
      mark: ({ name }) => name,
      bytes: ({ body }) => body.length,
    });
    const items = page.items.map((resource) => toShow(fromResource(this.#row, resource)));
    return { items, nextPageToken: page.nextPageToken, revision: version.revision };
  }

  async #put(
    message: M | undefined,
    call: CallContext,
    allow: (stored: Resource | undefined, name: string) => void,
  ): Promise<M> {
    if (message === undefined) throw new Error('a required message passed validation without being there');
    const put: Put = { row: kindOf(this.#row.kind), message, field: this.#row.word, ordinal: 0 };
    const { state } = await this.#writer.write(call.peer, (newest) => {
      allow(this.#find(newest, message.name), message.name);
      return { puts: [put], deletes: [] };
    });
    return this.#message(state, message.name);
  }

  #checkEtag(stored: Resource | undefined, etag: string): void {
    if (etag === '' || stored === undefined || fromResource(this.#row, stored).meta?.etag === etag) return;
    throw new AdminError(
      code.aborted,
      'ETAG_MISMATCH',
      `The ${this.#row.word} was changed by someone else; read it again.`,
      [{ field: 'etag', description: `is not the etag of ${this.#row.word} "${stored.name}" any more` }],
    );
  }

  #message(state: State, name: string): M {
    const stored = this.#find(state, name);
    if (stored === undefined) throw this.#notFound(name);
    return toShow(fromResource(this.#row, stored));
  }

  #find({ resources }: State, name: string): Resource | undefined {
    return findResource(resources, { kind: this.#row.kind, name });
  }

  #notFound(name: string): AdminError {
    return new AdminError(code.notFound, 'NOT_FOUND', `There is no ${this.#row.word} "${name}".`);
  }
}
