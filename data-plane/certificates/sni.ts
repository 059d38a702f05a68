/** A name that a certificate is chosen for: a host name, or `*.` and a host name, which stands for exactly one label more. */
const namePattern = /^(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;
const maxNameLength = 253;

/** The name as it is compared, or null when it has another form. */
export function serverName(text: string): string | null {
  const name = text.toLowerCase();
  return name.length <= maxNameLength && namePattern.test(name) && !/^\d+(\.\d+){3}$/.test(name) ? name : null;
}

/** What a certificate's names choose among: an exact name wins over a wildcard, and what neither names is the default's. */
export class ServerNames<T> {
  readonly #byName = new Map<string, T>();
  readonly #fallback: T | null;

  constructor(fallback: T | null) {
    this.#fallback = fallback;
  }

  /** The first to claim a name keeps it. */
  claim(names: readonly string[], value: T): void {
    for (const name of names) if (!this.#byName.has(name)) this.#byName.set(name, value);
  }

  /** For the name that a client asks for, '' when it asks for none. Null when there is no default. */
  choose(asked: string): T | null {
    const name = asked.toLowerCase();
    const dot = name.indexOf('.');
    const wildcard = dot > 0 ? this.#byName.get(`*${name.slice(dot)}`) : undefined;
    return this.#byName.get(name) ?? wildcard ?? this.#fallback;
  }
}
