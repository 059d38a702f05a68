const quote = 0x22;
const backslash = 0x5c;
const maxKeyLength = 80;

/**
 * The path of the value or key at `offset` of JSON text that is well-formed up to there, as `author.books[2].title`. Only made
 * for an error, so that reading keeps no track of where it is.
 */
export function pathAt(json: Uint8Array, offset: number): string {
  const steps: (string | number)[] = [];
  let expectsKey = false;
  for (let pos = 0; pos < offset; pos++) {
    switch (json[pos]) {
      case 0x7b:
        steps.push('');
        expectsKey = true;
        break;
      case 0x5b:
        steps.push(0);
        expectsKey = false;
        break;
      case 0x7d:
      case 0x5d:
        steps.pop();
        expectsKey = false;
        break;
      case 0x2c: {
        const last = steps[steps.length - 1];
        expectsKey = typeof last === 'string';
        steps[steps.length - 1] = typeof last === 'number' ? last + 1 : '';
        break;
      }
      case quote: {
        const end = stringEnd(json, pos);
        if (expectsKey) steps[steps.length - 1] = keyText(json, pos, end);
        expectsKey = false;
        pos = end;
        break;
      }
      default:
    }
  }
  if (expectsKey && json[offset] === quote) steps[steps.length - 1] = keyText(json, offset, stringEnd(json, offset));
  return steps.reduce<string>((path, step) => path + written(path, step), '');
}

/** Where the closing quote stands. */
function stringEnd(json: Uint8Array, start: number): number {
  let pos = start + 1;
  while (pos < json.length && json[pos] !== quote) pos += json[pos] === backslash ? 2 : 1;
  return pos;
}

function keyText(json: Uint8Array, start: number, end: number): string {
  const text = new TextDecoder().decode(json.subarray(start + 1, Math.min(end, start + 1 + maxKeyLength)));
  return end - start - 1 > maxKeyLength ? `${text}…` : text;
}

function written(path: string, step: string | number): string {
  if (typeof step === 'number') return `[${step}]`;
  if (step === '') return '';
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(step)) return `[${JSON.stringify(step)}]`;
  return path === '' ? step : `.${step}`;
}
