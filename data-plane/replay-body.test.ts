import { describe, expect, test } from 'vitest';
import type { BodySink, BodySource } from './body.js';
import { ProxyError } from './errors.js';
import type { HeaderList } from './headers.js';
import { ReplayBody } from './replay-body.js';

class Source implements BodySource {
  readonly length: number | null;
  sink: BodySink | null = null;
  paused = false;
  cancelled = false;

  constructor(length: number | null = null) {
    this.length = length;
  }

  start(sink: BodySink): void {
    this.sink = sink;
  }

  push(text: string): void {
    if (this.sink?.write(Buffer.from(text)) === false) this.paused = true;
  }

  resume(): void {
    this.paused = false;
  }

  cancel(): void {
    this.cancelled = true;
  }
}

class Sink implements BodySink {
  text = '';
  ended: HeaderList | null | undefined;
  error: ProxyError | null = null;
  takesMore = true;
  readonly settled = true;

  write(chunk: Uint8Array): boolean {
    this.text += Buffer.from(chunk).toString();
    return this.takesMore;
  }

  end(trailers: HeaderList | null): void {
    this.ended = trailers;
  }

  fail(error: ProxyError): void {
    this.error = error;
  }
}

const refused = new ProxyError('upstream_unsent');

function begun(): { source: Source; body: ReplayBody; first: Sink } {
  const source = new Source();
  const body = new ReplayBody(source);
  const first = new Sink();
  body.start(first);
  return { source, body, first };
}

describe('ReplayBody', () => {
  test('begins anew for a second reader, and goes on from there', () => {
    const { source, body, first } = begun();
    source.push('ab');
    expect(body.settled).toBe(false);
    body.cancel(refused);
    source.push('c');

    const second = new Sink();
    body.start(second);
    source.push('d');
    source.sink?.end(['x', 'y']);

    expect(first.text).toBe('ab');
    expect(second).toMatchObject({ text: 'abcd', ended: ['x', 'y'] });
    expect(source.cancelled).toBe(false);
  });

  test('is whole for a second reader when it had ended before', () => {
    const { source, body } = begun();
    source.push('ab');
    source.sink?.end(null);
    body.cancel(refused);

    const second = new Sink();
    body.start(second);

    expect(second).toMatchObject({ text: 'ab', ended: null });
  });

  test('tells a second reader of the failure of its source', () => {
    const { source, body } = begun();
    body.cancel(refused);
    const gone = new ProxyError('client_closed');
    source.sink?.fail(gone);

    const second = new Sink();
    body.start(second);

    expect(second.error).toBe(gone);
  });

  test('passes on who wants to wait, and lets a second reader go on', () => {
    const { source, body, first } = begun();
    first.takesMore = false;
    source.push('a');
    expect(source.paused).toBe(true);

    body.cancel(refused);
    body.start(new Sink());

    expect(source.paused).toBe(false);
  });

  test('keeps no more than its limit: then it cannot be sent again, and is cancelled with its reader', () => {
    const { source, body } = begun();
    for (let i = 0; i < 17; i++) source.push('x'.repeat(4_096));

    expect(body.replayable).toBe(false);
    expect(body.settled).toBe(true);
    body.cancel(refused);
    expect(source.cancelled).toBe(true);
  });

  test('announced to be longer than that is not kept at all, and can be sent again until it has begun', () => {
    const source = new Source(65_537);
    const body = new ReplayBody(source);
    body.cancel(refused);
    expect([body.replayable, source.cancelled]).toEqual([true, false]);

    body.start(new Sink());
    source.push('x');

    expect([body.replayable, body.settled]).toEqual([false, true]);
  });

  test('stops its source while nobody reads and the limit is reached, and loses nothing', () => {
    const { source, body } = begun();
    body.cancel(refused);
    while (!source.paused) source.push('x'.repeat(4_096));

    const second = new Sink();
    body.start(second);

    expect(second.text).toHaveLength(65_536);
    expect(source.paused).toBe(false);
  });

  test('once released is cancelled with its reader, or at once when it has none', () => {
    const reading = begun();
    reading.body.release();
    expect(reading.source.cancelled).toBe(false);
    reading.body.cancel(refused);
    expect(reading.source.cancelled).toBe(true);

    const left = begun();
    left.body.cancel(refused);
    left.body.release();
    expect(left.source.cancelled).toBe(true);
  });
});
