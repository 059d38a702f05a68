/** Whether a query asks for JSON that people can read (PJ17): `pretty` or `$prettyPrint`, alone or with `true` or `1`. */
export function wantsPretty(query: string): boolean {
  return query !== '' && /(?:^|&)(?:pretty|(?:\$|%24)prettyPrint)(?:=(?:true|1)?)?(?:&|$)/i.test(query);
}

const quote = 0x22;
const openers = new Set([0x7b, 0x5b]);
const closers = new Set([0x7d, 0x5d]);

/** JSON without blanks, an element a line and two blanks a level. Works on the text, so that no number changes. */
export function indented(json: Uint8Array): Uint8Array {
  const parts: string[] = [];
  const text = new TextDecoder().decode(json);
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    const char = text[at] as string;
    if (code === quote) {
      const end = stringEnd(text, at);
      parts.push(text.slice(at, end));
      at = end - 1;
    } else if (openers.has(code)) {
      const isEmpty = closers.has(text.charCodeAt(at + 1));
      parts.push(isEmpty ? char + text[++at] : char + lineStart(++depth));
    } else if (closers.has(code)) parts.push(lineStart(--depth) + char);
    else if (char === ',') parts.push(char + lineStart(depth));
    else parts.push(char === ':' ? ': ' : char);
  }
  return new TextEncoder().encode(`${parts.join('')}\n`);
}

/** Behind the quote that closes the string whose first one is at `from`. */
function stringEnd(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x5c) at++;
    else if (code === quote) return at + 1;
  }
  return text.length;
}

function lineStart(depth: number): string {
  return `\n${'  '.repeat(depth)}`;
}
