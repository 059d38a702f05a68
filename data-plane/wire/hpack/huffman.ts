/**
 * Code lengths of the symbols 0–255 and the end-of-string symbol (RFC 7541 appendix B). The code is canonical: ordered by
 * length, then by symbol, each code is the one before plus one; so the lengths are the whole table.
 */
// prettier-ignore
const codeLengths: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28,
  28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15,
  6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22,
  20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23,
  23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22,
  22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26,
  27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27,
  26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

const endOfString = 256;
const longestPadding = 7;

/** Entries of the table: the next state in the low 8 bits, and a decoded symbol (no code is shorter than a nibble, so at most one). */
const hasSymbol = 0x100;
const symbolShift = 9;
const invalid = -1;

const machine = buildMachine(buildTree());

/**
 * Decodes `source[start, end)` into `into`, which must have room for 8/5 of it, and returns how many bytes came out, or -1
 * when the text is not a Huffman text: it holds the end-of-string symbol or is not padded with at most 7 one bits.
 * Goes by nibbles through a 16 KiB table, which stays in the first-level cache.
 */
export function huffmanDecode(source: Uint8Array, start: number, end: number, into: Uint8Array): number {
  const { transitions, accepting } = machine;
  let state = 0;
  let length = 0;
  for (let i = start; i < end; i++) {
    const byte = source[i] as number;
    const high = transitions[(state << 4) | (byte >> 4)] as number;
    if (high === invalid) return -1;
    if ((high & hasSymbol) !== 0) into[length++] = high >> symbolShift;
    const low = transitions[((high & 0xff) << 4) | (byte & 15)] as number;
    if (low === invalid) return -1;
    if ((low & hasSymbol) !== 0) into[length++] = low >> symbolShift;
    state = low & 0xff;
  }
  return accepting[state] === 1 ? length : -1;
}

/** A tree of the codes: `branches[node * 2 + bit]` is an inner node, or the complement of a symbol. */
function buildTree(): number[] {
  const branches: number[] = [0, 0];
  const symbols = codeLengths.map((_, symbol) => symbol);
  symbols.sort((a, b) => (codeLengths[a] as number) - (codeLengths[b] as number) || a - b);
  let code = 0;
  let codeLength = 0;
  for (const symbol of symbols) {
    const length = codeLengths[symbol] as number;
    code *= 2 ** (length - codeLength);
    codeLength = length;
    let node = 0;
    for (let bit = length - 1; bit > 0; bit--) {
      const branch = node * 2 + ((code >>> bit) & 1);
      if (branches[branch] === 0) {
        branches[branch] = branches.length / 2;
        branches.push(0, 0);
      }
      node = branches[branch] as number;
    }
    branches[node * 2 + (code & 1)] = ~symbol;
    code++;
  }
  return branches;
}

interface Machine {
  readonly transitions: Int32Array;
  readonly accepting: Uint8Array;
}

function buildMachine(branches: readonly number[]): Machine {
  const states = branches.length / 2;
  const transitions = new Int32Array(states * 16);
  for (let state = 0; state < states; state++) {
    for (let nibble = 0; nibble < 16; nibble++) transitions[state * 16 + nibble] = transition(branches, state, nibble);
  }
  const accepting = new Uint8Array(states);
  for (let node = 0, bits = 0; bits <= longestPadding; bits++) {
    accepting[node] = 1;
    node = branches[node * 2 + 1] as number;
  }
  return { transitions, accepting };
}

function transition(branches: readonly number[], state: number, nibble: number): number {
  let node = state;
  let found = 0;
  for (let bit = 3; bit >= 0; bit--) {
    const next = branches[node * 2 + ((nibble >> bit) & 1)] as number;
    if (next === ~endOfString) return invalid;
    if (next < 0) found = hasSymbol | (~next << symbolShift);
    node = next < 0 ? 0 : next;
  }
  return found | node;
}
