import { readFile } from 'node:fs/promises';
import type { JsonObject } from '@bufbuild/protobuf';
import { Server, ServerCredentials, status } from '@grpc/grpc-js';
import { packageFile } from '../package-file.js';
import { jsonService, type JsonMethod } from './json-service.js';

/** The shelves and books that all instances of the demo share, as rows of one database would be. */
export class Bookstore {
  readonly #shelves = new Map<string, JsonObject>([
    ['1', { id: '1', theme: 'History' }],
    ['2', { id: '2', theme: 'Gardening' }],
  ]);
  readonly #books = new Map<string, JsonObject>([
    ['shelves/1/books/1', { name: 'shelves/1/books/1', author: 'Herodotus', title: 'The Histories', tags: ['greek'] }],
  ]);
  #lastId = 100;

  readonly methods: Readonly<Record<string, JsonMethod>> = {
    ListShelves: () => ({ shelves: [...this.#shelves.values()] }),
    CreateShelf: ({ shelf }) => this.#createShelf((shelf ?? {}) as JsonObject),
    GetShelf: ({ shelf }) => found(this.#shelves, String(shelf), 'shelf'),
    DeleteShelf: ({ shelf }) => remove(this.#shelves, String(shelf), 'shelf'),
    ListBooks: ({ shelf, author }) => this.#listBooks(String(shelf), String(author)),
    CreateBook: ({ shelf, book }) => this.#createBook(String(shelf), (book ?? {}) as JsonObject),
    GetBook: ({ name }) => found(this.#books, String(name), 'book'),
    DeleteBook: ({ name }) => remove(this.#books, String(name), 'book'),
  };

  #createShelf(shelf: JsonObject): JsonObject {
    const id = String(++this.#lastId);
    const created = { ...shelf, id };
    this.#shelves.set(id, created);
    return created;
  }

  #listBooks(shelf: string, author: string): JsonObject {
    found(this.#shelves, shelf, 'shelf');
    const onShelf = [...this.#books].filter(([name]) => name.startsWith(`shelves/${shelf}/`)).map(([, book]) => book);
    return { books: author === '' ? onShelf : onShelf.filter((book) => book['author'] === author) };
  }

  #createBook(shelf: string, book: JsonObject): JsonObject {
    found(this.#shelves, shelf, 'shelf');
    if (!book['title']) throw failure(status.INVALID_ARGUMENT, 'a book needs a title');
    const name = `shelves/${shelf}/books/${++this.#lastId}`;
    const created = { ...book, name };
    this.#books.set(name, created);
    return created;
  }
}

function found(table: ReadonlyMap<string, JsonObject>, key: string, what: string): JsonObject {
  const row = table.get(key);
  if (row === undefined) throw failure(status.NOT_FOUND, `no ${what} ${key}`);
  return row;
}

function remove(table: Map<string, JsonObject>, key: string, what: string): JsonObject {
  found(table, key, what);
  table.delete(key);
  return {};
}

function failure(code: status, details: string): Error {
  return Object.assign(new Error(details), { code, details });
}

/** Starts one instance on the address; `port` 0 takes any free one. */
export async function startBookstore(
  store: Bookstore,
  instance: string,
  host: string,
  port: number,
): Promise<{ name: string; port: number; close(): Promise<void> }> {
  const descriptorSet = await readFile(bookstoreDescriptorSet);
  const { definition, implementation } = jsonService(descriptorSet, 'bookstore.v1.Bookstore', instance, store.methods);
  const server = new Server();
  server.addService(definition, implementation);
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${host}:${port}`, ServerCredentials.createInsecure(), (error, at) =>
      error ? reject(error) : resolve(at),
    );
  });
  return {
    name: instance,
    port: bound,
    close: () => new Promise((resolve) => server.tryShutdown(() => resolve())),
  };
}

/** Built from proto/ beside it. */
export const bookstoreDescriptorSet = packageFile('deploy/demo/bookstore.binpb');
