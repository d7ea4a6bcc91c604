import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What a program of the same owner on the same machine needs to talk to the running server. */
export interface Connection {
  readonly url: string;
  readonly userId: string;
  /** Left out where the operator keeps the master key outside the data folder. */
  readonly pat?: string | undefined;
}

const pathIn = (dataDir: string) => join(dataDir, 'connection.json');

/**
 * Writes `connection.json` into the data folder, readable by its owner only, while the server runs.
 *
 * The token in it gives away nothing that the folder does not hold already: the sealed copy and the key to it.
 */
export async function writeConnection(dataDir: string, connection: Connection): Promise<void> {
  await rm(pathIn(dataDir), { force: true });
  const text = `${JSON.stringify({ url: connection.url, user_id: connection.userId, pat: connection.pat }, null, 2)}\n`;
  await writeFile(pathIn(dataDir), text, { mode: 0o600, flag: 'wx' });
}

export const removeConnection = (dataDir: string): Promise<void> => rm(pathIn(dataDir), { force: true });
