import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { fromBinary, toBinary } from '@bufbuild/protobuf';

import { LastGoodSchema } from '../../proto/gen/sluice/v1/snapshot_pb.js';
import { equalBytes, sha256 } from '../../proto/snapshot/snapshot.js';

import type { LastGood } from '../../proto/gen/sluice/v1/snapshot_pb.js';

/** What a node starts from when no control plane answers. */
export interface LastGoodStore {
  /** The readable ones, newest first, each read only when it is asked for. */
  newestFirst(): AsyncIterable<LastGood>;
  /** Resolves when it would survive a power failure. Rejects when it could not be written; what was there stays. */
  save(lastGood: LastGood): Promise<void>;
}

export interface LastGoodLog {
  warn(message: string, fields?: Record<string, unknown>): void;
}

const kept = 3;
const magic = new TextEncoder().encode('sluice1\n');
const digestBytes = 32;
/** A running number, since a clock may go back, and the revision, for people. */
const namePattern = /^(\d{12})-r\d+\.lastgood$/;

/**
 * Keeps the last good states as files in `folder`: magic, sha256 of the rest, an encoded LastGood. A file appears whole or not at
 * all; one that is damaged is passed over for the one before it. Only the owner may read them: they hold private keys.
 */
export function lastGoodFolder(folder: string, log: LastGoodLog): LastGoodStore {
  return {
    async *newestFirst() {
      for (const { name } of await list(folder)) {
        const read = await readFile(join(folder, name)).then(decode, (error: unknown) => ({ fault: String(error) }));
        if ('fault' in read) log.warn('a last good state is passed over', { file: name, fault: read.fault });
        else yield read.lastGood;
      }
    },
    async save(lastGood) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const files = await list(folder);
      const revision = lastGood.config?.version?.revision ?? 0n;
      const name = `${String((files[0]?.number ?? 0) + 1).padStart(12, '0')}-r${revision}.lastgood`;
      await writeDurably(folder, name, encode(lastGood));
      for (const old of files.slice(kept - 1)) await rm(join(folder, old.name), { force: true });
    },
  };
}

interface StoredFile {
  readonly name: string;
  readonly number: number;
}

async function list(folder: string): Promise<StoredFile[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const files = names.flatMap((name) => {
    const number = namePattern.exec(name)?.[1];
    return number === undefined ? [] : [{ name, number: Number(number) }];
  });
  return files.toSorted((a, b) => b.number - a.number);
}

/** The one temporary name is used again, so that a process killed in here leaves no more than one file behind. */
async function writeDurably(folder: string, name: string, content: Uint8Array): Promise<void> {
  const temporary = join(folder, 'new.tmp');
  await rm(temporary, { force: true });
  const file = await open(temporary, 'wx', 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, join(folder, name));
  const directory = await open(folder, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function encode(lastGood: LastGood): Uint8Array {
  const body = toBinary(LastGoodSchema, lastGood);
  return Buffer.concat([magic, sha256(body), body]);
}

function decode(bytes: Uint8Array): { readonly lastGood: LastGood } | { readonly fault: string } {
  const body = bytes.subarray(magic.length + digestBytes);
  if (!equalBytes(bytes.subarray(0, magic.length), magic)) return { fault: 'it does not begin as one' };
  if (!equalBytes(bytes.subarray(magic.length, magic.length + digestBytes), sha256(body)))
    return { fault: 'its checksum does not fit' };
  try {
    return { lastGood: fromBinary(LastGoodSchema, body) };
  } catch (error) {
    return { fault: error instanceof Error ? error.message : String(error) };
  }
}
