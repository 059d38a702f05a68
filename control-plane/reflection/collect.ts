import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

import type { Answer, Conversation, Question } from './conversation.js';

/** What a server may make us hold. */
export interface CollectLimits {
  readonly bytes: number;
  readonly files: number;
  readonly services: number;
}

/** A server whose answers make no schema; the message is for people. */
export class ReflectionError extends Error {}

/** Questions that are on their way at once. */
const batchSize = 8;
const notFound = 5;
/** Servers seldom describe the service that describes, and nobody routes to it. */
const ownServices = /^grpc\.reflection\./;

/**
 * Asks for all services of a server, and for all that their files import, and puts it into one serialized FileDescriptorSet. Equal
 * servers give equal bytes, in whatever order they answer: imports stand before what imports them, else by name. Throws
 * ReflectionError when the answers contradict each other or are too many.
 */
export async function collectDescriptors(conversation: Conversation, limits: CollectLimits): Promise<Uint8Array> {
  const files = new Files(limits);
  const services = await listServices(conversation, limits);
  await inBatches(services, async (batch) => {
    const unknown = batch.filter((name) => !files.declares(name));
    const answers = await conversation.ask(unknown.map((symbol) => ({ case: 'fileContainingSymbol', value: symbol })));
    for (const [i, answer] of answers.entries()) files.add(descriptorsIn(answer, `service ${unknown[i]}`));
  });
  const asked = new Set<string>();
  for (let missing = files.missing(asked); missing.length > 0; missing = files.missing(asked)) {
    for (const name of missing) asked.add(name);
    await inBatches(missing, async (batch) => {
      const answers = await conversation.ask(batch.map((name) => ({ case: 'fileByFilename', value: name })));
      for (const [i, answer] of answers.entries()) files.add(importIn(answer, batch[i] ?? ''));
    });
  }
  return files.toSet();
}

async function inBatches<T>(items: readonly T[], work: (batch: readonly T[]) => Promise<void>): Promise<void> {
  for (let at = 0; at < items.length; at += batchSize) await work(items.slice(at, at + batchSize));
}

async function listServices(conversation: Conversation, limits: CollectLimits): Promise<string[]> {
  const question: Question = { case: 'listServices', value: '' };
  const [answer] = await conversation.ask([question]);
  if (answer?.case === 'errorResponse') throw refused('the list of services', answer.value);
  if (answer?.case !== 'listServicesResponse') throw new ReflectionError('the server answered something else');
  const names = new Set(answer.value.service.map(({ name }) => name).filter((name) => !ownServices.test(name)));
  if (names.size === 0) throw new ReflectionError('the server names no service');
  if (names.size > limits.services) throw new ReflectionError(`the server has more than ${limits.services} services`);
  return [...names].toSorted();
}

function descriptorsIn(answer: Answer, what: string): readonly Uint8Array[] {
  if (answer.case === 'errorResponse') throw refused(what, answer.value);
  if (answer.case !== 'fileDescriptorResponse') throw new ReflectionError('the server answered something else');
  return answer.value.fileDescriptorProto;
}

/** Many servers leave out what everybody has, as google/protobuf: whether more is missing is found when the set is checked. */
function importIn(answer: Answer, name: string): readonly Uint8Array[] {
  if (answer.case === 'errorResponse' && answer.value.errorCode === notFound) return [];
  return descriptorsIn(answer, `file ${JSON.stringify(name)}`);
}

function refused(what: string, { errorCode, errorMessage }: { errorCode: number; errorMessage: string }): Error {
  return new ReflectionError(`the server does not give ${what}: code ${errorCode}, ${errorMessage.slice(0, 200)}`);
}

interface File {
  readonly bytes: Uint8Array;
  readonly dependencies: readonly string[];
}

/** The files of one server by name. */
class Files {
  readonly #limits: CollectLimits;
  readonly #files = new Map<string, File>();
  readonly #services = new Set<string>();
  #bytes = 0;

  constructor(limits: CollectLimits) {
    this.#limits = limits;
  }

  add(encoded: readonly Uint8Array[]): void {
    for (const bytes of encoded) {
      const { name, dependencies, services } = readFile(bytes);
      const known = this.#files.get(name);
      if (known !== undefined) {
        if (Buffer.compare(known.bytes, bytes) === 0) continue;
        throw new ReflectionError(`the server has two different files ${JSON.stringify(name)}`);
      }
      this.#files.set(name, { bytes, dependencies });
      for (const service of services) this.#services.add(service);
      // Beside its bytes each file has a tag and a length in the set.
      this.#bytes += bytes.length + 6;
      if (this.#files.size > this.#limits.files)
        throw new ReflectionError(`the server has more than ${this.#limits.files} files`);
      if (this.#bytes > this.#limits.bytes)
        throw new ReflectionError(`the descriptors of the server have more than ${this.#limits.bytes} bytes`);
    }
  }

  declares(service: string): boolean {
    return this.#services.has(service);
  }

  /** Imports that are not there, save those `asked` for already. */
  missing(asked: ReadonlySet<string>): string[] {
    const names = new Set<string>();
    for (const { dependencies } of this.#files.values())
      for (const name of dependencies) if (!this.#files.has(name) && !asked.has(name)) names.add(name);
    if (names.size + this.#files.size > this.#limits.files)
      throw new ReflectionError(`the server has more than ${this.#limits.files} files`);
    return [...names].toSorted();
  }

  toSet(): Uint8Array {
    const writer = new BinaryWriter();
    for (const { bytes } of this.#inOrder()) writer.tag(1, WireType.LengthDelimited).bytes(bytes);
    return writer.finish();
  }

  /** Depth first without recursion: a chain of imports may be as long as the limit. */
  #inOrder(): File[] {
    const ordered: File[] = [];
    const entered = new Set<string>();
    const left = new Set<string>();
    const open = [...this.#files.keys()].toSorted().toReversed();
    for (let name = open.at(-1); name !== undefined; name = open.at(-1)) {
      const file = this.#files.get(name);
      if (file !== undefined && !entered.has(name)) {
        entered.add(name);
        const inner = file.dependencies.filter((each) => this.#files.has(each) && !entered.has(each));
        for (const each of inner.toSorted().toReversed()) open.push(each);
        continue;
      }
      open.pop();
      if (file !== undefined && !left.has(name)) ordered.push(file);
      left.add(name);
    }
    return ordered;
  }
}

/** As much of a FileDescriptorProto as is needed here; the rest is looked at when the set is checked. */
function readFile(bytes: Uint8Array): { name: string; dependencies: string[]; services: string[] } {
  try {
    const reader = new BinaryReader(bytes);
    const dependencies: string[] = [];
    const services: string[] = [];
    let name = '';
    let scope = '';
    while (reader.pos < reader.len) {
      const [field, wireType] = reader.tag();
      if (field === 1) name = reader.string();
      else if (field === 2) scope = reader.string();
      else if (field === 3) dependencies.push(reader.string());
      else if (field === 6) services.push(nameIn(reader.bytes()));
      else reader.skip(wireType, field);
    }
    if (name === '') throw new ReflectionError('a file of the server has no name');
    return { name, dependencies, services: services.map((each) => (scope === '' ? each : `${scope}.${each}`)) };
  } catch (error) {
    if (error instanceof ReflectionError) throw error;
    throw new ReflectionError('a file of the server is no google.protobuf.FileDescriptorProto', { cause: error });
  }
}

function nameIn(declaration: Uint8Array): string {
  const reader = new BinaryReader(declaration);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1) return reader.string();
    reader.skip(wireType, field);
  }
  return '';
}
