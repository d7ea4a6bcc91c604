import { randomBytes } from 'node:crypto';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { mayDie } from '#domain/failpoints.ts';

/** The master key made at the first start; losing it loses the sealed copies of keys and secrets. */
export async function keptMasterKey(dataDir: string): Promise<Buffer> {
  const path = join(dataDir, 'master.key');
  const kept = await readFile(path).catch(() => undefined);
  if (kept) return kept;
  // Under its name it is whole from the start: half a key would lock the data up for good.
  const draft = `${path}.${process.pid}.draft`;
  await writeFile(draft, randomBytes(32), { mode: 0o600, flush: true });
  mayDie('master-key-due');
  await link(draft, path).catch((error) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await rm(draft);
  return readFile(path);
}
