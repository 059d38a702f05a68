import { readFileSync } from 'node:fs';
import { packageFile } from './package-file.js';

/** The version in package.json. */
export function softwareVersion(): string {
  return (JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as { version: string }).version;
}
