import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findBinary, makeWorkDir, type RunningServer } from '../../../deploy/servers/servers.js';
import { startPeerProcess } from './peer-process.js';

export interface NginxLaunch {
  readonly name: string;
  readonly port: number;
  /** What stands inside `http { }`. */
  readonly http: string;
  /** By name; they are in the folder that is nginx's `root`. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
}

/** Starts nginx as one process: what one worker does, and nothing of it is left when that process ends. */
export async function startNginx({ name, port, http, files = {} }: NginxLaunch): Promise<RunningServer> {
  const binary = await findBinary('nginx');
  const workDir = await makeWorkDir(name, undefined);
  for (const [file, content] of Object.entries(files)) await writeFile(join(workDir, file), content);
  await writeFile(join(workDir, 'nginx.conf'), configuration(workDir, http));
  return startPeerProcess({
    name,
    port,
    binary,
    args: ['-p', workDir, '-c', join(workDir, 'nginx.conf'), '-e', 'stderr'],
    workDir,
  });
}

const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];

function configuration(workDir: string, http: string): string {
  return `daemon off;
master_process off;
pid ${workDir}/pid;
events { worker_connections 16384; }
http {
  access_log off;
  keepalive_requests 1000000000;
  root ${workDir};
  ${temporary.map((kind) => `${kind}_temp_path ${workDir}/${kind};`).join('\n  ')}
  ${http}
}
`;
}
