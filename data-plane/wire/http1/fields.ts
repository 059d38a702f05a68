import { FieldLines, type HeaderList } from '../../headers.js';
import { COLON, CR, DEL, isTokenByte, LF, SPACE, TAB } from './bytes.js';
import { noteField, type FieldFacts } from './field-facts.js';
import { kindOf, type FieldKind } from './field-kind.js';
import { malformed, Violation } from './violation.js';

export interface FieldLimits {
  readonly maxFields: number;
  /** Of one field line, name and value together. */
  readonly maxFieldBytes: number;
}

/**
 * Where names and values stand in a head, relative to its first byte: four offsets per field line. Kept by the parser and
 * reused, so that a head is first checked as bytes and then cut from one text, without an object per field.
 */
export class FieldIndex {
  readonly #marks: number[] = [];
  #length = 0;
  /** The Host of the head before, which is nearly always that of the next. */
  #host = '';

  /**
   * Checks the field lines from bytes[from] up to and with the empty line, and notes where they are. `origin` is the index of
   * the head's first byte. Returns the index after the empty line, or -1 when it lies beyond `end`.
   */
  read(bytes: Uint8Array, from: number, end: number, origin: number, limits: FieldLimits): number {
    const marks = this.#marks;
    let at = from;
    let length = 0;
    // The scans may run past `end` over old bytes; every step looks whether they did before it believes what it sees.
    while (at < end) {
      const nameStart = at;
      while (isTokenByte[bytes[at] as number] === 1) at++;
      if (at >= end) return -1;
      if (at === nameStart) {
        if (bytes[at] !== CR) throw malformed('field name');
        if (at + 1 >= end) return -1;
        if (bytes[at + 1] !== LF) throw malformed('carriage return without line feed');
        this.#length = length;
        return at + 2;
      }
      if (bytes[at] !== COLON) throw malformed('field name');
      if (length === 4 * limits.maxFields) throw new Violation('head_too_large', 'number of fields');
      marks[length] = nameStart - origin;
      marks[length + 1] = at - origin;
      at++;
      while (isBlank(bytes[at] as number)) at++;
      marks[length + 2] = at - origin;
      while (isValue(bytes[at] as number)) at++;
      if (at + 1 >= end) return -1;
      if (bytes[at] !== CR || bytes[at + 1] !== LF) throw malformed('field value');
      let valueEnd = at;
      while (isBlank(bytes[valueEnd - 1] as number)) valueEnd--;
      marks[length + 3] = Math.max(valueEnd - origin, marks[length + 2] as number);
      at += 2;
      if (at - nameStart > limits.maxFieldBytes) throw new Violation('head_too_large', 'field line');
      length += 4;
    }
    return -1;
  }

  /**
   * The fields of a message as lines to pass on, without Host and what is the connection's, which are noted in `facts`. Null when
   * a field asks for a closer look: then `facts` are to be reset, and `cut` to be called. `text` is that of the head, which ends at
   * `headEnd`.
   */
  pass(text: string, headEnd: number, isRequest: boolean, facts: FieldFacts): FieldLines | null {
    const marks = this.#marks;
    let kept = '';
    let from = this.#length === 0 ? headEnd - 2 : (marks[0] as number);
    let hasDate = false;
    let hasLength = false;
    for (let i = 0; i < this.#length; i += 4) {
      const nameStart = marks[i] as number;
      const kind = kindOf(text, nameStart, marks[i + 1] as number);
      const next = i + 4 < this.#length ? (marks[i + 4] as number) : headEnd - 2;
      if (kind === 'plain' || kind === 'date' || (kind === 'forwarded' && !isRequest)) {
        if (!this.#isPlain(text, i, next)) return null;
        hasDate ||= kind === 'date';
        continue;
      }
      if (kind === 'special' || kind === 'forwarded' || kind === 'expect' || (kind === 'host' && !isRequest))
        return null;
      const value = this.#value(kind, text, i);
      if (kind === 'connection' && !isPlainOption(value)) return null;
      this.#note(kind, text, i, value, facts);
      if (kind === 'content-length') {
        // One that we would write otherwise is written anew.
        if (hasLength || !this.#isPlain(text, i, next) || String(facts.contentLength) !== value) return null;
        hasLength = true;
        continue;
      }
      if (from < nameStart) kept += text.slice(from, nameStart);
      from = next;
    }
    if (from < headEnd - 2) kept += text.slice(from, headEnd - 2);
    return new FieldLines(kept, hasDate, hasLength ? facts.contentLength : -1);
  }

  /** All field lines as they came, of a head that ends at `headEnd`. */
  linesOf(text: string, headEnd: number): string {
    return this.#length === 0 ? '' : text.slice(this.#marks[0], headEnd - 2);
  }

  /** Whether a field line is as we would write it: a blank before the value and none behind. */
  #isPlain(text: string, i: number, next: number): boolean {
    const marks = this.#marks;
    const nameEnd = marks[i + 1] as number;
    return marks[i + 2] === nameEnd + 2 && marks[i + 3] === next - 2 && text.charCodeAt(nameEnd + 1) === SPACE;
  }

  /** Cuts what `read` found from the latin1 text of the head, and notes in `facts` the fields that the engine acts on. */
  cut(text: string, facts: FieldFacts | null): HeaderList {
    const marks = this.#marks;
    const headers: HeaderList = [];
    for (let i = 0; i < this.#length; i += 4) {
      const kind = facts === null ? 'plain' : kindOf(text, marks[i] as number, marks[i + 1] as number);
      const value = this.#value(kind, text, i);
      headers.push(text.slice(marks[i], marks[i + 1]), value);
      if (facts !== null && kind !== 'plain') this.#note(kind, text, i, value, facts);
    }
    return headers;
  }

  #value(kind: FieldKind, text: string, i: number): string {
    return kind === 'host' ? this.#hostAt(text, i) : text.slice(this.#marks[i + 2], this.#marks[i + 3]);
  }

  /** A slice would keep its whole head alive as long as a connection is idle, and takes longer to compare. */
  #hostAt(text: string, i: number): string {
    const [start, end] = [this.#marks[i + 2] as number, this.#marks[i + 3] as number];
    const before = this.#host;
    if (before.length !== end - start || !startsAt(text, start, before))
      this.#host = Buffer.from(text.slice(start, end), 'latin1').toString('latin1');
    return this.#host;
  }

  #note(kind: FieldKind, text: string, i: number, value: string, facts: FieldFacts): void {
    if (kind === 'host' || kind === 'content-length' || kind === 'transfer-encoding') this.#refuseTabs(text, i);
    noteField(kind, value, facts);
  }

  /**
   * RFC 9110 section 5.5 lets tabs stand around a value; node and nginx refuse them there, and might be behind us. By these fields
   * recipients tell whose request it is and where it ends.
   */
  #refuseTabs(text: string, i: number): void {
    const marks = this.#marks;
    for (let at = (marks[i + 1] as number) + 1; at < (marks[i + 2] as number); at++)
      if (text.charCodeAt(at) === TAB) throw malformed('tab before the value');
    for (let at = marks[i + 3] as number; text.charCodeAt(at) !== CR; at++)
      if (text.charCodeAt(at) === TAB) throw malformed('tab behind the value');
  }
}

/** Names no field. */
function isPlainOption(value: string): boolean {
  return value === 'keep-alive' || value === 'Keep-Alive' || value === 'close';
}

function startsAt(text: string, at: number, part: string): boolean {
  for (let i = 0; i < part.length; i++) if (text.charCodeAt(at + i) !== part.charCodeAt(i)) return false;
  return true;
}

/** Comparisons are faster than a look-up here: values are most of a head, and nearly all of their bytes pass the first two. */
function isValue(byte: number): boolean {
  return (byte >= SPACE && byte !== DEL) || byte === TAB;
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}
