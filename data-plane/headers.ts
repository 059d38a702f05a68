/**
 * Header fields as a flat list: name, value, name, value, … in the order and case they came in, one pair per field line.
 * Values are latin1 text (one char per byte, RFC 9110 section 5.5) without surrounding blanks. Every room passes this one
 * shape on, so a header that nobody touches is never rebuilt.
 */
export type HeaderList = string[];

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
  if (name.length !== lowerName.length) return false;
  for (let i = 0; i < name.length; i++) {
    if ((name.charCodeAt(i) | 0x20) !== lowerName.charCodeAt(i)) return false;
  }
  return true;
}

/** Without blanks and tabs around it (RFC 9110 section 5.6.3). `String.trim` takes more: a no-break space is no blank in a field. */
export function trimBlanks(text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, '');
}
