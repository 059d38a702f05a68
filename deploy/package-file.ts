import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The path of a file of the package, whether this runs from the sources or from dist. */
export function packageFile(path: string): string {
  let folder = new URL('.', import.meta.url);
  while (!existsSync(new URL('package.json', folder))) folder = new URL('..', folder);
  return fileURLToPath(new URL(path, folder));
}
