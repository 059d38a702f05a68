import { chown, mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Whom a child runs as, when not as we do. */
export type User = { readonly uid: number; readonly gid: number };

/** Someone without rights to run a server as, if we are root; else undefined, which means ourselves. */
export async function unprivilegedUser(): Promise<User | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const passwd = await readFile('/etc/passwd', 'utf8');
  const user = ['postgres', 'nobody'].map((name) => findUser(passwd, name)).find((found) => found !== undefined);
  if (user === undefined)
    throw new Error('Postgres does not run as root, and there is no user postgres or nobody here');
  return user;
}

/** Makes a server's own folder below the system's temporary one, owned by its user. */
export async function makeWorkDir(name: string, user: User | undefined): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), `sluice-${name}-`));
  if (user !== undefined) await chown(dir, user.uid, user.gid);
  return dir;
}

function findUser(passwd: string, name: string): User | undefined {
  const match = new RegExp(`^${name}:[^:]*:(\\d+):(\\d+):`, 'm').exec(passwd);
  return match === null ? undefined : { uid: Number(match[1]), gid: Number(match[2]) };
}
