import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CliFault, exitCode } from './faults.ts';
import { bytes, type Output } from './output.ts';

export interface FileChecks {
  /** Checksum that is published; it wins over what was recorded. */
  readonly sha256?: string | undefined;
  readonly isNeeded: boolean;
  /** Takes a file that differs from the recorded one, and records it. */
  readonly acceptsChanges: boolean;
  /** Where the checksum of the first fetch is written down, and under which name. */
  readonly record: { readonly folder: string; readonly name: string };
}

interface Recorded {
  readonly sha256: string;
  /** When it was first fetched, ISO 8601. */
  readonly at: string;
}

const recordFile = (folder: string): string => join(folder, 'checksums.json');

async function recordsIn(folder: string): Promise<Record<string, Recorded>> {
  const text = await readFile(recordFile(folder), 'utf8').catch(() => '{}');
  try {
    return JSON.parse(text);
  } catch {
    throw new CliFault(
      `${recordFile(folder)} is damaged; it says which files were fetched before. Mend it, or delete it to trust them anew.`,
    );
  }
}

const recordedOf = async ({ folder, name }: FileChecks['record']): Promise<Recorded | undefined> =>
  (await recordsIn(folder))[name];

async function keepRecord({ folder, name }: FileChecks['record'], sha256: string): Promise<void> {
  const records = await recordsIn(folder);
  if (records[name]?.sha256 === sha256) return;
  records[name] = { sha256, at: new Date().toISOString() };
  const draft = `${recordFile(folder)}.${process.pid}`;
  await writeFile(draft, `${JSON.stringify(records, null, 2)}\n`);
  await rename(draft, recordFile(folder));
}

/**
 * Downloads a file, going on where an earlier try broke off; it has its name only when it is whole and right.
 *
 * @returns false when it is not there and nobody needs it
 */
export async function fetchFile(
  url: string,
  to: string,
  { sha256, isNeeded, acceptsChanges, record }: FileChecks,
  out: Output,
): Promise<boolean> {
  const before = acceptsChanges ? undefined : await recordedOf(record);
  if (await stat(to).catch(() => undefined)) {
    const held = await hashOf(to);
    // Without either there is no telling a damaged file, or one that changed, from the right one.
    if (held === (sha256 ?? before?.sha256)) return true;
    await rm(to);
  }
  const draft = `${to}.part`;
  await mkdir(dirname(to), { recursive: true });
  for (let tries = 1; ; tries += 1) {
    let got = (await stat(draft).catch(() => undefined))?.size ?? 0;
    try {
      const reply = await fetch(url, got > 0 ? { headers: { range: `bytes=${got}-` } } : {});
      if (reply.status === 404 && !isNeeded) return false;
      if (reply.status !== 416) {
        if (!reply.ok || !reply.body)
          throw new CliFault(
            `${url} answered ${reply.status}.`,
            reply.status === 404 ? exitCode.missing : exitCode.failed,
          );
        if (reply.status === 200) got = 0;
        const size = got + Number(reply.headers.get('content-length') ?? 0);
        const file = await open(draft, got > 0 ? 'r+' : 'w');
        try {
          for await (const chunk of reply.body as unknown as AsyncIterable<Uint8Array>) {
            await file.write(chunk, 0, chunk.length, got);
            got += chunk.length;
            out.progress(`fetching ${basename(to)}: ${bytes(got)} of ${bytes(size)}`);
          }
          await file.truncate(got);
        } finally {
          await file.close();
        }
      }
      break;
    } catch (error) {
      if (error instanceof CliFault) throw error;
      if (tries === 5)
        throw new CliFault(
          `${url} cannot be fetched (${(error as Error).message}); what came is kept, try again.`,
          exitCode.unreachable,
        );
      await sleep(250 * 2 ** tries);
    }
  }
  const found = await hashOf(draft);
  if (sha256 !== undefined && found !== sha256) {
    await rm(draft);
    throw new CliFault(
      `${url} is not the file that was expected: its SHA-256 differs (${found}, not ${sha256}). Nothing was kept.`,
    );
  }
  if (sha256 === undefined && before && found !== before.sha256) {
    await rm(draft);
    throw new CliFault(
      `${url} changed since ${before.at.slice(0, 10)}: its SHA-256 was ${before.sha256} and is ${found}. Nothing was kept; ` +
        'if the change is meant, pull again with --accept-changes.',
    );
  }
  await rename(draft, to);
  await keepRecord(record, found);
  return true;
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
