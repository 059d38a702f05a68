import { show } from './oracle/reading.js';
import type { Difference } from './oracle/verdict.js';

/** A promise that was broken, and by what. */
export interface Finding extends Difference {
  /** As small as it could be made. */
  readonly input: string;
}

export function describeFinding({ rule, detail, input }: Finding): string {
  return `broken is "${rule}"\n  ${detail}\n  by ${show(input)}`;
}

/** Of one look; more of them tell no more. */
const maxAlike = 2;

/** Most findings of a fault look alike: the same rule is broken, and what is said of it begins the same way. */
export class Looks {
  readonly #counts = new Map<string, number>();

  isNew({ rule, detail }: Difference): boolean {
    const look = rule + detail.slice(0, 16);
    const count = (this.#counts.get(look) ?? 0) + 1;
    this.#counts.set(look, count);
    return count <= maxAlike;
  }
}
