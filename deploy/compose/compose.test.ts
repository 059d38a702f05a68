import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { haproxyConfig } from '../cluster/load-balancer.js';
import { entryPoint } from '../cluster/member.js';
import { packageFile } from '../package-file.js';

const run = promisify(execFile);

interface Compose {
  readonly services: Readonly<Record<string, { readonly image: string; readonly command?: readonly string[] }>>;
}

const compose = parse(readFileSync(packageFile('docker-compose.yml'), 'utf8'), { merge: true }) as Compose;
const ours = Object.entries(compose.services).filter(([, { image }]) => image === 'sluice');

describe('docker-compose.yml', () => {
  it('balances over its nodes with the config that the cluster on loopback uses', () => {
    const nodes = Object.keys(compose.services).filter((name) => name.startsWith('node-'));
    const backends = nodes.map((id) => ({ id, host: id, port: 8080, tlsPort: 8443, opsPort: 9902 }));

    expect(readFileSync(packageFile('deploy/compose/haproxy.cfg'), 'utf8')).toBe(
      haproxyConfig({ plain: '*:8080', tls: '*:8443' }, backends),
    );
  });

  it.each(ours)('gives %s a command that sluice has, with flags that it knows', async (_name, { command = [] }) => {
    const { stdout } = await run(process.execPath, [
      entryPoint,
      ...command.filter((part) => !part.startsWith('-') || part === '--address'),
      '--help',
    ]);

    for (const flag of command.filter((part) => part.startsWith('--') && part !== '--address'))
      expect(stdout).toContain(flag);
  });
});
