import { readFileSync } from 'node:fs';

/** Sockets of a program besides those that a case counts: to upstreams, of a control plane, files. */
const otherFiles = 300;

/** Why a case with so many connections cannot be run here; null when it can. Programs raise their limit to the hard one. */
export function missingFiles(connections: number): string | null {
  const limit = Number(/^Max open files +\d+ +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? Infinity);
  const needed = connections + otherFiles;
  return needed <= limit ? null : `needs a hard limit of ${needed} open files (ulimit -Hn), which is ${limit} here`;
}
