import { setTimeout as sleep } from 'node:timers/promises';
import { create } from '@bufbuild/protobuf';
import { FrameSchema } from '@fovea/contract';
import { describe, expect, test } from 'vitest';
import { ffmpegPath, numberedClip } from '#testing/clips.ts';
import { type Person, signedIn } from '#testing/people.ts';
import { momentsOf } from './true-frames.ts';

const frames = 12;

/** An object of a track in one frame of a clip of 25 frames a second; balls roll to the right, cubes stay below. */
const inFrame = (number: number, track: 'ball' | 'cube', trackId: string = track) => ({
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
                boundingBox: {
                  topRow: track === 'ball' ? 0.1 : 0.7,
                  bottomRow: track === 'ball' ? 0.3 : 0.9,
                  leftCol: track === 'ball' ? 0.05 * number : 0.4,
                  rightCol: track === 'ball' ? 0.05 * number + 0.2 : 0.6,
                },
              },
              data: { concepts: [{ id: track, value: 1 }] },
            },
          ],
        },
      },
    ],
  },
});

async function evaluated(person: Person, request: object) {
  const posted = await person.client.postEvaluations({ evalMetrics: [request] });
  expect(posted.status?.code, posted.status?.details).toBe(10000);
  const evaluationId = posted.evalMetrics[0]?.id ?? '';
  for (let tries = 0; tries < 600; tries += 1) {
    const { evalMetrics } = await person.client.getEvaluation({ evaluationId });
    if (![21303, 21301].includes(evalMetrics?.status?.code ?? 0)) return evalMetrics;
    await sleep(50);
  }
  throw new Error('the evaluation did not end');
}

describe.skipIf(!ffmpegPath)('a tracker is judged by how it joins the labelled regions of videos', () => {
  test('one that follows every object, one that breaks where a track has a gap, and an app without labels', async () => {
    const alice = await signedIn('alice');
    const models = [
      {
        id: 'follower',
        modelTypeId: 'centroid-tracker',
        params: { min_visible_frames: 1, max_distance: 0.3 },
      },
      { id: 'blind', modelTypeId: 'centroid-tracker', params: { min_visible_frames: 1, max_distance: 0.01 } },
    ];
    for (const { id, modelTypeId, params } of models) {
      const made = await alice.client.postModels({ models: [{ id, modelTypeId, outputInfo: { params } }] });
      expect(made.status?.code, made.status?.details).toBe(10000);
    }
    const early = await evaluated(alice, { model: { id: 'follower' } });
    expect([early?.status?.code, early?.status?.details]).toEqual([
      21315,
      expect.stringContaining('labelled'),
    ]);

    const clip = await numberedClip({ ending: 'mp4', frames });
    await alice.client.postInputs({ inputs: [{ id: 'clip', data: { video: { base64: clip } } }] });
    for (let code = 0; code !== 30000; await sleep(50))
      code = (await alice.client.getInput({ inputId: 'clip' })).input?.status?.code ?? 0;
    const numbers = Array.from({ length: frames }, (_, number) => number);
    const posted = await alice.client.postAnnotations({
      // Not in the order of time, and both objects of a frame apart: as people label.
      annotations: [...numbers].reverse().flatMap((n) => [inFrame(n, 'cube'), inFrame(n, 'ball')]),
    });
    expect(posted.status?.code, posted.status?.details).toBe(10000);

    const good = await evaluated(alice, { model: { id: 'follower' } });
    expect(good?.status?.code, good?.status?.details).toBe(21300);
    expect(good?.trackerMetrics.map(({ aiid }) => aiid)).toEqual(['ball', 'cube']);
    expect(good?.trackerMetrics.map((one) => [one.motMota, one.motNumSwitches])).toEqual([
      [1, 0],
      [1, 0],
    ]);
    const blind = await evaluated(alice, { model: { id: 'blind' } });
    const [ball, cube] = blind?.trackerMetrics ?? [];
    expect([cube?.motMota, cube?.motNumSwitches]).toEqual([1, 0]);
    // The ball moves further than this tracker looks, so it is another one in every frame.
    expect(ball?.motNumSwitches).toBe(frames - 1);
    expect(ball?.motMota).toBeCloseTo(1 - (frames - 1) / frames, 6);
  }, 120_000);
});

test('what was said of one moment belongs together, and moments stand in their order', () => {
  const frame = (number: number, id: string) =>
    create(FrameSchema, { frameInfo: { number, time: number * 40 }, data: { regions: [{ id }] } });
  const moments = momentsOf([frame(2, 'a'), frame(0, 'b'), frame(2, 'c'), frame(1, 'd')]);
  expect(moments.map(({ data }) => data?.regions.map(({ id }) => id))).toEqual([['b'], ['d'], ['a', 'c']]);
  expect(momentsOf([])).toEqual([]);
});
