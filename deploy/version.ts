import { readFileSync } from 'node:fs';

const manifest = new URL(import.meta.url.includes('/dist/') ? '../../package.json' : '../package.json', import.meta.url);

/** The version in package.json. */
export function softwareVersion(): string {
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version;
}
