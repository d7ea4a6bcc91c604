import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Mortal, openMortal, until } from '#testing/deaths.ts';
import { uploadPictures } from '#testing/inputs.ts';

let mortal: Mortal;

beforeAll(async () => {
  mortal = await openMortal('source');
  const { client } = mortal.person();
  await client.postApps({
    userAppId: { userId: 'me', appId: '' },
    apps: [{ id: 'source', defaultWorkflow: { id: 'Empty', appId: 'main', userId: 'clarifai' } }],
  });
  await uploadPictures(mortal.person(), ['a', 'b', 'c'], { a: [{ id: 'cat', value: 1 }] });
  const box = { boundingBox: { topRow: 0, leftCol: 0, bottomRow: 0.5, rightCol: 0.5 } };
  await client.postAnnotations({ annotations: [{ inputId: 'a', data: { regions: [{ regionInfo: box }] } }] });
}, 120_000);
afterAll(() => mortal.stop());

test.each([1, 4, 7].flatMap((n) => [`duplication-copied@${n}`, `duplication-step@${n}`]))(
  'a copy of an app is whole although the server died at %s',
  async (point) => {
    const id = point.replace('@', '-');
    await mortal.dieAt(point, ({ client }) =>
      client.postAppDuplications({ appDuplications: [{ id, destinationApp: { id } }] }),
    );
    const { userId } = mortal.person();
    const found = await until('the copy', async () => {
      const { appDuplication } = await mortal.person().client.getAppDuplication({
        userAppId: { userId, appId: '' },
        appDuplicationId: id,
      });
      return appDuplication?.status?.code === 25200 ? appDuplication : undefined;
    });
    expect(found.progress.every(({ value }) => value === 100)).toBe(true);
    const copy = mortal.person().as({ appId: id });
    expect((await copy.getInputCount({})).counts?.processed).toBe(3);
    expect((await copy.listAnnotations({})).annotations).toHaveLength(4);
    expect((await copy.getConceptCounts({})).conceptCounts).toMatchObject([
      { id: 'cat', conceptTypeCount: { positive: 1 } },
    ]);
  },
  120_000,
);
