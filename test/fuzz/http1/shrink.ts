/**
 * The text with as much left out as can be while `fails` holds, first in large pieces and then byte by byte. `maxTries` bounds
 * the work: each try runs a whole case.
 */
export async function shrink(
  text: string,
  fails: (text: string) => boolean | Promise<boolean>,
  maxTries = 3_000,
): Promise<string> {
  let best = text;
  let tries = 0;
  for (let size = Math.ceil(best.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < best.length && tries < maxTries;) {
      const shorter = best.slice(0, at) + best.slice(at + size);
      tries++;
      if (await fails(shorter)) best = shorter;
      else at += size;
    }
  }
  return best;
}
