import { describe, expect, test } from 'vitest';
import { bulkBytes, ReadBufferChoice, SharedReadBuffer } from './read-buffer.js';

describe('ReadBufferChoice', () => {
  test('sockets with small reads share one buffer', () => {
    const reads = new SharedReadBuffer();
    const [one, other] = [new ReadBufferChoice(reads), new ReadBufferChoice(reads)];
    one.advance(100, false);

    expect(one.current).toBe(other.current);
    expect(one.isOwn).toBe(false);
  });

  test('a large read gets a socket its own buffer, used again while nothing of it is kept', () => {
    const reads = new SharedReadBuffer();
    const choice = new ReadBufferChoice(reads);
    expect(choice.advance(bulkBytes, false)).toBe(true);
    const own = choice.current;

    expect(own).not.toBe(reads.shared);
    expect(choice.advance(65_536, false)).toBe(false);
    expect(choice.advance(10, false)).toBe(false);
    expect(choice.current).toBe(own);
  });

  test('a buffer of which something is kept is never read into again', () => {
    const reads = new SharedReadBuffer();
    const choice = new ReadBufferChoice(reads);
    choice.advance(bulkBytes, false);
    const kept = choice.current;

    expect(choice.advance(65_536, true)).toBe(true);
    expect(choice.current).not.toBe(kept);
    for (let i = 0; i < 4; i++) choice.advance(1, i === 3);
    expect(choice.current).toBe(reads.shared);
    choice.advance(bulkBytes, false);
    expect(choice.current).not.toBe(kept);
  });

  test('small reads bring a socket back to the shared buffer, and the own one serves the next', () => {
    const reads = new SharedReadBuffer();
    const choice = new ReadBufferChoice(reads);
    choice.advance(bulkBytes, false);
    const own = choice.current;
    for (let i = 0; i < 4; i++) choice.advance(10, false);
    expect(choice.current).toBe(reads.shared);

    const next = new ReadBufferChoice(reads);
    next.advance(bulkBytes, false);
    expect(next.current).toBe(own);
  });

  test('the number of own buffers is bounded, and sockets that close make room', () => {
    const reads = new SharedReadBuffer();
    const choices = Array.from({ length: 600 }, () => new ReadBufferChoice(reads));
    for (const choice of choices) choice.advance(bulkBytes, false);
    const owners = choices.filter(({ isOwn }) => isOwn);
    expect(owners.length).toBe(512);

    for (const choice of owners) choice.close();
    const late = new ReadBufferChoice(reads);
    late.advance(bulkBytes, false);
    expect(late.isOwn).toBe(true);
  });
});
