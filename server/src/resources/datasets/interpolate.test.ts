import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { ffmpegPath, numberedClip } from '#testing/clips.ts';
import { type Json, type Person, signedIn } from '#testing/people.ts';
import { unzipped } from './export/unzipped.testing.ts';
import { middles } from './interpolate.ts';

test.each([
  [0, 2000, 500, [250, 750, 1250, 1750]],
  [250, 750, 500, []],
  [100, 1000, 333, [166, 499, 832]],
  [900, 900, 100, []],
])('between %i and %i ms, windows of %i ms have their middles at %j', (from, to, sampleMs, times) => {
  expect(middles({ timeMs: from }, { timeMs: to }, sampleMs)).toEqual(times);
});

describe.skipIf(!ffmpegPath)('tracks of videos in dataset versions', () => {
  let alice: Person;
  const at = (number: number, leftCol: number, trackId = 'ball') => ({
    inputId: 'clip',
    data: {
      frames: [
        {
          frameInfo: { number, time: number * 40 },
          data: {
            regions: [
              {
                trackId,
                regionInfo: {
                  boundingBox: { topRow: 0.25, leftCol, bottomRow: 0.5, rightCol: leftCol + 0.25 },
                },
                data: { concepts: [{ id: 'ball', value: 1 }] },
              },
            ],
          },
        },
      ],
    },
  });

  beforeAll(async () => {
    alice = await signedIn('alice');
    const clip = await numberedClip({ ending: 'mp4', frames: 100 });
    await alice.client.postInputs({ inputs: [{ id: 'clip', data: { video: { base64: clip } } }] });
    for (let code = 0; code !== 30000; await sleep(50))
      code = (await alice.client.getInput({ inputId: 'clip' })).input?.status?.code ?? 0;
    const annotations = [at(0, 0), at(50, 0.5), at(60, 0.1, 'other')];
    const posted = await alice.client.postAnnotations({ annotations });
    expect(posted.status?.code, posted.status?.details).toBe(10000);
    await alice.client.postDatasets({
      datasets: [{ id: 'd', defaultProcessingInfo: { frameInterpolationInfo: { sampleMs: 500 } } }],
    });
    await alice.client.postDatasetInputs({ datasetId: 'd', datasetInputs: [{ input: { id: 'clip' } }] });
  });

  /** Times and left edges of the boxes that a version holds, as its JSON archive has them. */
  async function held(id: string, processingInfo?: object): Promise<[number, number][]> {
    const version = { id, ...(processingInfo ? { processingInfo } : {}) };
    await alice.client.postDatasetVersions({ datasetId: 'd', datasetVersions: [version as never] });
    const place = { datasetId: 'd', datasetVersionId: id };
    for (;;) {
      const { exports } = await alice.client.putDatasetVersionExports({ ...place, exports: [{ format: 3 }] });
      if (exports[0]?.status?.code === 64200) {
        const reply = await fetch(exports[0].url, { headers: { authorization: `Key ${alice.pat}` } });
        const files = unzipped(Buffer.from(await reply.arrayBuffer()));
        const batch = JSON.parse([...files].find(([name]) => name !== 'mimetype')?.[1].toString() ?? '');
        return batch.inputs[0].data.frames
          .flatMap(({ frame_info, data }: Json) =>
            data.regions.map(({ region_info }: Json) => [
              Number(frame_info.time ?? 0),
              region_info.bounding_box.left_col ?? 0,
            ]),
          )
          .sort(([a]: number[], [b]: number[]) => (a as number) - (b as number));
      }
      await sleep(50);
    }
  }

  const keyframes = [
    [0, 0],
    [2000, 0.5],
    [2400, expect.closeTo(0.1, 4)],
  ];
  const between = (times: number[]) => times.map((timeMs) => [timeMs, expect.closeTo(timeMs / 4000, 4)]);

  test('what lies between keyframes is worked out where models are shown frames, at the rate of the dataset', async () => {
    expect(await held('default')).toEqual([
      keyframes[0],
      ...between([250, 750, 1250, 1750]),
      ...keyframes.slice(1),
    ]);
    expect(await held('zero', { frameInterpolationInfo: { sampleMs: 0 } })).toHaveLength(7);
    expect(await held('slow', { frameInterpolationInfo: { sampleMs: 1000 } })).toEqual([
      keyframes[0],
      ...between([500, 1500]),
      ...keyframes.slice(1),
    ]);
    expect(await held('off', {})).toEqual(keyframes);
    // The annotations themselves stay as they are.
    expect((await alice.client.listAnnotations({ inputIds: ['clip'] })).annotations).toHaveLength(4);
  });

  test('what a version holds cannot be said anew', async () => {
    const patch = (version: object) =>
      alice.client.patchDatasetVersions({
        datasetId: 'd',
        action: 'overwrite',
        datasetVersions: [{ id: 'slow', ...version } as never],
      });
    const refused = await patch({ processingInfo: { frameInterpolationInfo: { sampleMs: 100 } } });
    expect(refused.status).toMatchObject({ code: 64030, details: expect.stringContaining('slow') });
    const same = await patch({
      description: 'seen',
      processingInfo: { frameInterpolationInfo: { sampleMs: 1000 } },
    });
    expect([same.status?.code, same.datasetVersions[0]?.description]).toEqual([10000, 'seen']);
  });
});
