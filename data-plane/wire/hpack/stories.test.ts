import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fieldBound, HpackDecoder, HpackEncoder } from './hpack.js';

/** Header lists of one connection, one after another, and the blocks that other implementations made of them. */
interface Story {
  readonly name: string;
  /** For each block: what the decoder's SETTINGS allow from here on, if that changes. */
  readonly tableSizes: readonly (number | null)[];
  /** Names and values by turns, latin1. */
  readonly lists: readonly (readonly string[])[];
  /** By encoder, base64. */
  readonly blocks: Readonly<Record<string, readonly string[]>>;
}

const stories = JSON.parse(readFileSync(new URL('stories.fixture.json', import.meta.url), 'utf8')) as readonly Story[];

function decode(decoder: HpackDecoder, block: Buffer): string[] {
  const list: string[] = [];
  decoder.decode(block, 0, block.length, { field: (name, value) => list.push(name, value) });
  return list;
}

describe('what other implementations encode is decoded, block after block on one connection', () => {
  const cases = stories.flatMap((story) =>
    Object.entries(story.blocks).map(([encoder, blocks]) => ({ name: story.name, encoder, story, blocks })),
  );
  it.each(cases)('$name, by $encoder', ({ story, blocks }) => {
    const decoder = new HpackDecoder();
    let largestTableBytes = 4_096;

    blocks.forEach((block, i) => {
      largestTableBytes = story.tableSizes[i] ?? largestTableBytes;
      decoder.setMaxTableBytes(largestTableBytes);
      expect(decode(decoder, Buffer.from(block, 'base64'))).toEqual(story.lists[i]);
      expect(decoder.tableBytes).toBeLessThanOrEqual(largestTableBytes);
    });
  });

  it.each(stories)('$name, by our own', ({ lists }) => {
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder();

    for (const list of lists) {
      const out = Buffer.alloc(list.reduce((sum, text) => sum + fieldBound(text, ''), 0));
      let at = 0;
      for (let i = 0; i < list.length; i += 2) at = encoder.field(out, at, list[i] as string, list[i + 1] as string);
      expect(decode(decoder, out.subarray(0, at))).toEqual(list);
    }
    expect(decoder.tableBytes).toBe(0);
  });
});
