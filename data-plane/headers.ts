/**
 * Header fields as a flat list: name, value, name, value, … in the order and case they came in, one pair per field line.
 * Values are latin1 text (one char per byte, RFC 9110 section 5.5) without surrounding blanks and line ends: parsers refuse what is
 * not, and whoever makes a field of other text asks `safeValue`. Every room passes this one shape on, so a header that nobody
 * touches is never rebuilt.
 */
export type HeaderList = string[];

/** Fields that many messages carry alike: as a list, and as field lines of HTTP/1, which are made once. */
export class FieldBlock {
  readonly fields: HeaderList;
  #text = '';
  #lastText = '';

  constructor(fields: HeaderList) {
    this.fields = fields;
  }

  get text(): string {
    if (this.#text !== '') return this.#text;
    const { fields } = this;
    for (let i = 0; i < fields.length; i += 2) this.#text += `${fields[i]}: ${fields[i + 1]}\r\n`;
    return this.#text;
  }

  /** With the empty line that ends a head. */
  get lastText(): string {
    if (this.#lastText === '') this.#lastText = `${this.text}\r\n`;
    return this.#lastText;
  }
}

/**
 * Fields that go on as they came: the field lines of HTTP/1, without what belongs to one connection. They become a list only for
 * who looks at them one by one.
 */
export class FieldLines {
  /** Each with its line end. None is one that the proxy joins, replaces or takes out. */
  readonly text: string;
  readonly hasDate: boolean;
  /** Of the Content-Length among them, which frames their message; -1 when there is none. */
  readonly contentLength: number;

  constructor(text: string, hasDate: boolean, contentLength: number) {
    this.text = text;
    this.hasDate = hasDate;
    this.contentLength = contentLength;
  }

  /** Without Content-Length. */
  get list(): HeaderList {
    const list = fieldsOf(this.text);
    if (this.contentLength >= 0) removeHeader(list, 'content-length');
    return list;
  }

  /** With a field more. */
  plus(name: string, value: string): FieldLines {
    return new FieldLines(this.text + name + ': ' + value + '\r\n', this.hasDate, this.contentLength);
  }
}

/** A list of checked field lines. */
export function fieldsOf(lines: string): HeaderList {
  const list: HeaderList = [];
  for (let at = 0; at < lines.length;) {
    const colon = lines.indexOf(':', at);
    const end = lines.indexOf('\r\n', colon);
    list.push(lines.slice(at, colon), trimBlanks(lines.slice(colon + 1, end)));
    at = end + 2;
  }
  return list;
}

export type MessageFields = HeaderList | FieldLines;

export function fieldList(fields: MessageFields): HeaderList {
  return fields instanceof FieldLines ? fields.list : fields;
}

/**
 * Fields that can be sent whatever they were made of, as a service's text: see `safeValue`. A name that is no token cannot be
 * mended; such a field is left out.
 */
export function safeFields(headers: readonly string[]): HeaderList {
  const safe: HeaderList = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (!notInToken.test(name)) safe.push(name, safeValue(headers[i + 1] as string));
  }
  return safe;
}

/** A field value of any text: what cannot stand in one becomes a blank (RFC 9110 section 5.5), line ends above all. */
export function safeValue(text: string): string {
  return text.replace(notInValue, ' ');
}

const notInValue = /[^\t\x20-\x7e\x80-\xff]/g;
const notInToken = /^$|[^!#$%&'*+\-.^_`|~0-9A-Za-z]/;

/** The value of the first field line called `lowerName` (which must be lower case), or undefined. */
export function headerValue(headers: readonly string[], lowerName: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2) {
    if (isHeader(headers[i] as string, lowerName)) return headers[i + 1];
  }
  return undefined;
}

/** All values of the field lines called `lowerName`, in order. */
export function headerValues(headers: readonly string[], lowerName: string): string[] {
  const values: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    if (isHeader(headers[i] as string, lowerName)) values.push(headers[i + 1] as string);
  }
  return values;
}

/** Takes off every field line called `lowerName`, in place. */
export function removeHeader(headers: HeaderList, lowerName: string): void {
  for (let i = headers.length - 2; i >= 0; i -= 2) {
    if (isHeader(headers[i] as string, lowerName)) headers.splice(i, 2);
  }
}

/**
 * Whether a field name, in any case, is `lowerName`, which has letters and `-` only. Compared char by char: length and first
 * letter decide nearly every call, and a lower-case copy costs three times the loop.
 */
export function isHeader(name: string, lowerName: string): boolean {
  return name.length === lowerName.length && isHeaderAt(name, 0, lowerName);
}

/** Whether text goes on with `lowerName` at a place, in any case; the caller knows that a name is there, and how long it is. */
export function isHeaderAt(text: string, at: number, lowerName: string): boolean {
  for (let i = 0; i < lowerName.length; i++) {
    if ((text.charCodeAt(at + i) | 0x20) !== lowerName.charCodeAt(i)) return false;
  }
  return true;
}

/** Without blanks and tabs around it (RFC 9110 section 5.6.3). `String.trim` takes more: a no-break space is no blank in a field. */
export function trimBlanks(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, '');
}
