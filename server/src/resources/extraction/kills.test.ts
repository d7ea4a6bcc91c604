import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { zipOf } from '#testing/archives.ts';
import { type Person, personWith } from '#testing/people.ts';
import { startServer, type TestServer } from '#testing/server.ts';
import { type Files, webStub } from '#testing/stubs.ts';
import { extracted, idsOf, sendArchive } from './extraction.testing.ts';

/** Texts, for they are processed quickly; three batches in the archive. */
const count = 300;

const personOn = (server: TestServer, appId: string): Person =>
  personWith({ url: server.url, userId: server.userId, pat: server.pat, appId });

async function withApp(server: TestServer, appId: string): Promise<Person> {
  const made = personOn(server, appId);
  await made.client.postApps({ userAppId: { userId: 'me', appId: '' }, apps: [{ id: appId }] });
  return made;
}

async function checkWhole(alice: Person, ids: readonly string[]): Promise<void> {
  const [addJob] = (await alice.client.listInputsAddJobs({})).inputsAddJobs;
  const job = await extracted(alice, addJob?.id as string);
  expect(job).toMatchObject({
    status: { code: 64002, details: '' },
    progress: { textInputsCount: BigInt(ids.length) },
  });
  expect(await idsOf(alice)).toEqual([...ids].sort());
  await expect
    .poll(
      async () => (await alice.client.getInputsAddJob({ id: addJob?.id as string })).inputsAddJob?.progress,
      { timeout: 60_000 },
    )
    .toMatchObject({
      pendingCount: 0n,
      inProgressCount: 0n,
      successCount: BigInt(ids.length),
      failedCount: 0n,
    });
  expect((await alice.client.getInputCount({})).counts).toMatchObject({ processed: ids.length, errors: 0 });
}

const scratchOf = (dataDir: string): string[] => {
  try {
    return readdirSync(join(dataDir, 'objects', 'extraction'));
  } catch {
    return [];
  }
};

test('killed at any point, an extraction goes on where it was: nothing is missing, double or left over', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'fovea-kills-'));
  const inner = Array.from({ length: count / 2 }, (_, i) => Buffer.from(`inner ${i}`));
  const nested = zipOf(inner.map((bytes, i) => ({ path: `n${i}.txt`, bytes })));
  const outer = Array.from({ length: count / 2 }, (_, i) => Buffer.from(`outer ${i}`));
  const archive = zipOf([
    ...outer.map((bytes, i) => ({ path: `o${i}.txt`, bytes })),
    { path: 'nested.zip', bytes: nested },
  ]);
  const ids = [...outer.map((_, i) => `o${i}.txt`), ...inner.map((_, i) => `n${i}.txt`)];
  const files: Files = new Map(outer.slice(0, 60).map((bytes, i) => [`set/o${i}.txt`, bytes]));
  files.set('set/pack/nested.zip', nested);
  const listed = [...outer.slice(0, 60).map((_, i) => `o${i}.txt`), ...inner.map((_, i) => `n${i}.txt`)];
  const web = await webStub(files);
  const points = [
    ['archive', 'extraction-begun'],
    ['archive', 'extraction-kept@2'],
    ['archive', 'extraction-added@2'],
    ['archive', 'extraction-counted@3'],
    ['archive', 'extraction-committed@1'],
    ['archive', 'extraction-committed@4'],
    ['source', 'extraction-listed@2'],
    ['source', 'extraction-counted@5'],
    ['source', 'extraction-committed@9'],
  ] as const;
  try {
    for (const [i, [what, point]] of points.entries()) {
      const doomed = await startServer({ dataDir, env: { FOVEA_FAILPOINTS: point } });
      const ended = once(doomed.process, 'exit');
      const alice = await withApp(doomed, `kill-${i}`);
      const source = { url: { url: `${web.url}/set/` } };
      const sent =
        what === 'archive'
          ? sendArchive(alice, archive)
          : alice.client.postInputsDataSources({ dataSources: [source] } as never);
      await sent.catch(() => {});
      await ended;
      expect(doomed.output(), point).toContain(`failpoint ${point.split('@')[0]}`);
      const next = await startServer({ dataDir });
      await checkWhole(personOn(next, `kill-${i}`), what === 'archive' ? ids : listed);
      await next.stop({ keep: true });
    }
    const last = await startServer({ dataDir });
    await expect
      .poll(() => scratchOf(dataDir).length, { timeout: 20_000 })
      .toBeLessThanOrEqual(points.length);
    await last.stop({ keep: true });
  } finally {
    await web.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
}, 400_000);
