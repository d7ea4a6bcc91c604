import { createHash } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Mortal, openMortal, until } from '#testing/deaths.ts';
import type { Person } from '#testing/people.ts';

const pictureCount = 20;
const ids = Array.from({ length: pictureCount }, (_, i) => `p${i}`);
const pictureOf = (i: number) =>
  sharp({ create: { width: 40, height: 30, channels: 3, background: `hsl(${i * 18}, 80%, 50%)` } })
    .png()
    .toBuffer();
const workflow = (id: string) => ({ id, appId: 'main', userId: 'clarifai' });

let mortal: Mortal;
beforeAll(async () => {
  mortal = await openMortal('walked');
  const { client } = mortal.person();
  await client.postApps({
    userAppId: { userId: 'me', appId: '' },
    apps: [{ id: 'walked', defaultWorkflow: workflow('Empty') }],
  });
  const pictures = await Promise.all(ids.map((_, i) => pictureOf(i)));
  await client.postInputs({
    inputs: ids.map((id, i) => ({ id, data: { image: { base64: pictures[i] as Buffer } } })),
  });
  await until('the pictures', async () =>
    (await countsOf(mortal.person())).processed === 20 ? true : undefined,
  );
});
afterAll(() => mortal.stop());

async function countsOf({ client }: Person) {
  const { counts } = await client.getInputCount({});
  if (!counts) throw new Error('no counts');
  return counts;
}

const reindex = ({ client }: Person, to: string) =>
  client.patchApp({
    action: 'overwrite',
    reindex: true,
    app: { id: 'walked', defaultWorkflow: workflow(to) },
  });

const finished = () =>
  until('the end of the walk', async () => {
    const counts = await countsOf(mortal.person());
    // Every input is in one of the four at every moment.
    expect(counts.toReindex + counts.reindexing + counts.reindexed + counts.reindexErrors).toBe(pictureCount);
    return counts.toReindex + counts.reindexing === 0 ? counts : undefined;
  });

test('a new base workflow alone reindexes nothing', async () => {
  const { client } = mortal.person();
  await client.patchApp({
    action: 'overwrite',
    app: { id: 'walked', defaultWorkflow: workflow('General') },
  });
  expect(await countsOf(mortal.person())).toMatchObject({
    toReindex: 0,
    reindexing: 0,
    reindexed: 0,
    reindexErrors: 0,
  });
});

test.each(['reindex-taken', 'reindex-counted'])(
  'a server that dies at %s goes on with the reindexing where it was; what cannot be read any more is counted',
  async (point) => {
    await loseBytes(await pictureOf(3));
    await mortal.dieAt(point, (person) => reindex(person, 'General'));
    expect(await finished()).toMatchObject({ reindexed: pictureCount - 1, reindexErrors: 1, processed: 20 });
    const reply = await mortal.person().client.postInputsSearches({
      searches: [{ query: { ranks: [{ annotation: { data: { image: { base64: await pictureOf(7) } } } }] } }],
      pagination: { perPage: 100 },
    });
    expect(reply.hits[0]?.input?.id).toBe('p7');
    expect(reply.hits).toHaveLength(pictureCount - 1);
  },
);

async function loseBytes(bytes: Buffer): Promise<void> {
  const sha = createHash('sha256').update(bytes).digest('hex');
  const media = join(mortal.dataDir, 'objects', 'media');
  for (const name of await readdir(media, { recursive: true }))
    if (name.endsWith(sha)) await rm(join(media, name));
}
