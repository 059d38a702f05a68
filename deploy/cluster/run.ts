import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { localCertificate } from '../certificate/local.js';
import { demoCommands } from '../demo/demo.js';
import { stopSignal } from '../life.js';
import { packageFile } from '../package-file.js';
import type { RunningServer } from '../servers/servers.js';
import { startCluster, type Cluster } from './cluster.js';
import { entryPoint, type Member } from './member.js';

const configFile = packageFile('deploy/cluster/cluster.yaml');

/** `npm run cluster [-- --json]`: starts a cluster, applies its config, says where everything is, and runs until Ctrl-C. */
async function main(): Promise<void> {
  const json = process.argv.includes('--json');
  const stopped = stopSignal();
  const cluster = await startCluster({ controlPlanes: 2, nodes: 3 });
  try {
    await applyConfig(cluster);
    print(cluster, json);
    await stopped;
  } finally {
    await cluster.close();
  }
}

/** By the command that people type. The certificate for localhost is one that clients have to be told to trust. */
async function applyConfig({ controlPlanes }: Cluster): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-certificate-'));
  try {
    const { certFile, keyFile } = await localCertificate(folder);
    const certificates = join(folder, 'certificates.json');
    const local = { name: 'localhost', cert_file: certFile, key_file: keyFile, default: true };
    await writeFile(certificates, JSON.stringify({ certificates: [local] }));
    const address = `127.0.0.1:${controlPlanes[0]?.port}`;
    const command = ['--address', address, 'apply', '-f', configFile, certificates, '--wait'];
    await promisify(execFile)(process.execPath, [entryPoint, ...command]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function print(cluster: Cluster, json: boolean): void {
  if (json) {
    console.log(JSON.stringify(addresses(cluster)));
    return;
  }
  const { postgres, nats, consul, loadBalancer, controlPlanes, nodes } = cluster;
  console.log(`load balancer  ${loadBalancer.url}  https://127.0.0.1:${loadBalancer.tlsPort}`);
  for (const { name, url, tlsPort, opsPort } of nodes)
    console.log(`${name}         ${url}  https://127.0.0.1:${tlsPort}  (ops http://127.0.0.1:${opsPort})`);
  for (const { name, port, opsPort } of controlPlanes)
    console.log(`${name}           admin 127.0.0.1:${port}  (ops http://127.0.0.1:${opsPort})`);
  for (const { name, url, version } of [postgres, nats, consul]) console.log(`${name} ${version}  ${url}`);
  console.log('');
  const { port, tlsPort } = loadBalancer;
  for (const command of demoCommands({ port, tlsPort, adminPort: controlPlanes[0]?.port ?? 0 }))
    console.log(`  ${command}`);
  console.log('\nstop with Ctrl-C');
}

/** One line for scripts: where everything is, and which process it is. */
function addresses({ postgres, nats, consul, loadBalancer, controlPlanes, nodes, demo }: Cluster): object {
  const server = ({ url, port, pid, version }: RunningServer): object => ({ url, port, pid, version });
  const member = ({ name, url, port, opsPort, pid }: Member): object => ({ id: name, url, port, opsPort, pid });
  return {
    loadBalancer: { ...server(loadBalancer), tlsPort: loadBalancer.tlsPort },
    nodes: nodes.map((each) => ({ ...member(each), tlsPort: each.tlsPort })),
    controlPlanes: controlPlanes.map((each) => ({ ...member(each), admin: `127.0.0.1:${each.port}` })),
    postgres: server(postgres),
    nats: server(nats),
    consul: server(consul),
    demo: { pid: demo.pid, orders: demo.ordersPorts, bookstore: demo.bookstorePorts },
  };
}

await main();
