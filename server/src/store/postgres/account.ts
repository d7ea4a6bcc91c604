import { createHash } from 'node:crypto';
import { chmodSync, chownSync, lstatSync, mkdirSync, realpathSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** Who PostgreSQL runs as. It refuses to run as root, so a root process lends it another account. */
export type Account = { uid: number; gid: number; borrowed: boolean };

const nobody = 65_534;

/** The account for a data folder: our own, or, where we are root, the folder's owner, or else nobody. */
export function accountFor(dataDir: string): Account {
  const [uid, gid] = [process.getuid?.() ?? -1, process.getgid?.() ?? -1];
  if (uid !== 0) return { uid, gid, borrowed: false };
  const owner = statSync(dataDir);
  if (owner.uid !== 0) return { uid: owner.uid, gid: owner.gid, borrowed: true };
  return { uid: nobody, gid: nobody, borrowed: true };
}

/** True when the account may walk through every folder down to `path`, judged by mode bits. */
export function canReach(account: Account, path: string): boolean {
  if (!account.borrowed) return true;
  for (let folder = realpathSync(path); ; folder = dirname(folder)) {
    const { mode, uid, gid } = statSync(folder);
    const bit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

/** Makes a folder that only the account (and root) may enter. Refuses one that somebody else prepared. */
export function makePrivateFolder(account: Account, path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const found = lstatSync(path);
  const ours = found.uid === account.uid || found.uid === process.getuid?.();
  if (!found.isDirectory() || !ours)
    throw new Error(`${path} exists and belongs to somebody else; remove it.`);
  if (account.borrowed) chownSync(path, account.uid, account.gid);
  chmodSync(path, 0o700);
}

/** Longest socket address that every system takes (104 bytes on macOS), less the file's own name. */
const socketFolderBytesMax = 85;

/** A folder for the server's socket: inside the data folder where path and rights allow, else in the temp folder. */
export function socketFolderFor(account: Account, home: string): string {
  const inside = join(home, 'socket');
  if (Buffer.byteLength(inside) <= socketFolderBytesMax && canReach(account, home)) return inside;
  const name = `fovea-${createHash('sha256').update(realpathSync(home)).digest('hex').slice(0, 12)}`;
  const outside = join(tmpdir(), name);
  // Some systems give root a temp folder that nobody else may enter.
  const isUsable = Buffer.byteLength(outside) <= socketFolderBytesMax && canReach(account, tmpdir());
  return isUsable ? outside : join('/tmp', name);
}
