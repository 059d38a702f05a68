import { quote } from './limits.js';

interface ImportingFile {
  readonly name: string;
  readonly dependencies: readonly string[];
}

interface ImportFault {
  readonly file: string;
  readonly reason: string;
}

/** Longer circles are told by their first files. */
const maxNamed = 8;

/** Imports that are not there, and files that import themselves by way of others. */
export function importFaults(files: ReadonlyMap<string, ImportingFile>, has: (name: string) => boolean): ImportFault[] {
  const faults: ImportFault[] = [];
  for (const { name, dependencies } of files.values())
    for (const imported of dependencies)
      if (!has(imported)) {
        const reason = `imports ${quote(imported)}, which is not in the set; build the set with all imports`;
        faults.push({ file: name, reason });
      }
  const circle = findCircle(files);
  if (circle !== null) {
    const named = [...circle.slice(0, maxNamed), ...(circle.length > maxNamed ? ['…'] : [])].map((name) => quote(name));
    faults.push({ file: circle[0] ?? '', reason: `imports itself: ${[...named, quote(circle[0] ?? '')].join(' → ')}` });
  }
  return faults;
}

/** Depth first without recursion: a chain of imports may be as long as the set. */
function findCircle(files: ReadonlyMap<string, ImportingFile>): string[] | null {
  const done = new Set<string>();
  for (const root of files.keys()) {
    const path: { readonly name: string; next: number }[] = [{ name: root, next: 0 }];
    const onPath = new Set([root]);
    for (let top = path.at(-1); top !== undefined && !done.has(root); top = path.at(-1)) {
      const imported = files.get(top.name)?.dependencies[top.next++];
      if (imported === undefined) {
        path.pop();
        onPath.delete(top.name);
        done.add(top.name);
      } else if (onPath.has(imported)) {
        return path.slice(path.findIndex(({ name }) => name === imported)).map(({ name }) => name);
      } else if (files.has(imported) && !done.has(imported)) {
        path.push({ name: imported, next: 0 });
        onPath.add(imported);
      }
    }
  }
  return null;
}
