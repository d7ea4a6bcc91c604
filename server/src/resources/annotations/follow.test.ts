import { setTimeout as sleep } from 'node:timers/promises';
import { AnnotationDataType } from '@fovea/contract';
import { beforeAll, describe, expect, test } from 'vitest';
import { ffmpegPath, made } from '#testing/clips.ts';
import { uploadPictures } from '#testing/inputs.ts';
import { type Person, signedIn } from '#testing/people.ts';
import { hasPhotos, photoPath } from '#testing/photos.ts';
import { framesBehind } from './follow.ts';

/** 10 frames a second. */
const times = {
  count: 100,
  timeMsOf: (n: number) => n * 100,
  numberAt: (ms: number) => Math.floor(ms / 100),
};
const everyFrame = { sampleFrames: 0, sampleMs: 0, endFrame: 0, endMs: 0 };
const window = { fromFrame: 0, fromMs: 0, framesMax: 60, durationMaxMs: 3000 };

test.each([
  ['behind the seed, for three seconds', 0, everyFrame, window, [1, 2, 28, 29]],
  ['as many as are asked for, the seed counted', 5, everyFrame, { ...window, framesMax: 4 }, [6, 7, 8]],
  ['at the rate of the track', 0, { ...everyFrame, sampleFrames: 7 }, window, [7, 14, 21, 28]],
  ['at the rate of the track in time', 0, { ...everyFrame, sampleMs: 1000 }, window, [10, 20]],
  ['to the end of the track', 90, { ...everyFrame, endFrame: 92 }, window, [91, 92]],
  ['to the end of the video', 97, everyFrame, window, [98, 99]],
  [
    'from the seed to a window further on',
    0,
    { ...everyFrame, sampleFrames: 10 },
    { ...window, fromFrame: 30 },
    [10, 20, 30, 40, 50],
  ],
])('frames to look at: %s', (_title, seed, track, asked, expected) => {
  const numbers = framesBehind(seed, track, asked, times);
  expect(numbers.filter((_, i) => expected.length > 4 || i < 2 || i >= numbers.length - 2)).toEqual(expected);
});

describe.skipIf(!ffmpegPath || !hasPhotos)('a model follows what people marked', () => {
  let alice: Person;
  let versionId = '';
  const model = (id: string, version: string) => ({
    worker: {
      case: 'model' as const,
      value: { id, appId: 'main', userId: 'clarifai', modelVersion: { id: version } },
    },
  });
  const ask = {
    inputId: 'film',
    trackId: 'cat',
    annotationType: AnnotationDataType.BOUNDING_BOX,
  };
  const trackStatus = async () =>
    (await alice.client.listAnnotationTracks({ inputId: 'film' })).annotationTracks[0]?.status?.code;

  beforeAll(async () => {
    alice = await signedIn('alice');
    // The cat is 300 pixels wide and moves 8 to the right in each frame.
    const film = await made('mp4', Buffer.alloc(0), [
      ...[
        '-f',
        'lavfi',
        '-i',
        'color=c=gray:s=640x360:r=10:d=1.2',
        '-loop',
        '1',
        '-r',
        '10',
        '-t',
        '1.2',
        '-i',
        photoPath('chelsea.png'),
      ],
      ...['-filter_complex', '[1:v]scale=300:-2[c];[0:v][c]overlay=x=t*80:y=80:shortest=1'],
      ...['-c:v', 'libx264', '-pix_fmt', 'yuv420p'],
    ]);
    await alice.client.postInputs({ inputs: [{ id: 'film', data: { video: { base64: film } } }] });
    for (let code = 0; code !== 30000; await sleep(50))
      code = (await alice.client.getInput({ inputId: 'film' })).input?.status?.code ?? 0;
    await alice.client.postAnnotationTracks({
      inputId: 'film',
      annotationTracks: [{ id: 'cat', sampleRateFrame: 3, concept: { id: 'cat', name: 'cat' } }],
    });
    await alice.client.postAnnotations({
      annotations: [
        {
          inputId: 'film',
          data: {
            frames: [
              {
                frameInfo: { number: 0, time: 0 },
                data: {
                  regions: [
                    {
                      trackId: 'cat',
                      regionInfo: {
                        boundingBox: { topRow: 0.22, leftCol: 0, bottomRow: 0.78, rightCol: 0.47 },
                      },
                      data: { concepts: [{ id: 'cat', value: 1 }] },
                    },
                  ],
                },
              },
            ],
          },
        },
      ],
    });
    const main = alice.as({ userId: 'clarifai', appId: 'main' });
    const { model: detector } = await main.getModel({ modelId: 'general-image-detection' });
    versionId = detector?.modelVersion?.id ?? '';
  });

  test('frame by frame, kept as the model’s own and untrusted, until somebody approves', async () => {
    const worker = model('general-image-detection', versionId);
    const found = await alice.client.postTrackAnnotationsSearches({ ...ask, worker });
    expect(found.status?.code, found.status?.details).toBe(10000);
    const boxes = found.annotations.map(({ data, trusted, modelVersionId }) => {
      const frame = data?.frames[0];
      const region = frame?.data?.regions[0];
      const { leftCol = 0, rightCol = 0 } = region?.regionInfo?.boundingBox ?? {};
      expect([trusted, modelVersionId, region?.trackId]).toEqual([false, versionId, 'cat']);
      expect(region?.data?.concepts[0]?.id).toBe('cat');
      return { number: frame?.frameInfo?.number as number, middle: (leftCol + rightCol) / 2 };
    });
    expect(boxes.map(({ number }) => number)).toEqual([3, 6, 9]);
    for (const { number, middle } of boxes) expect(middle).toBeCloseTo((150 + 8 * number) / 640, 1);
    expect(boxes[2]?.middle).toBeGreaterThan((boxes[0]?.middle ?? 1) + 0.03);
    expect(await trackStatus()).toBe(24302);
    const again = await alice.client.postTrackAnnotationsSearches({ ...ask, worker });
    expect(again.annotations).toEqual(found.annotations);
    // Others see what is there, and nothing is made for them.
    const listed = await alice.client.listAnnotations({ inputIds: ['film'] });
    expect(listed.annotations.every(({ trusted }) => trusted)).toBe(true);
  });

  test('what cannot follow says so, and the track with it', async () => {
    const main = alice.as({ userId: 'clarifai', appId: 'main' });
    const { model: classifier } = await main.getModel({ modelId: 'general-image-recognition' });
    const worker = model('general-image-recognition', classifier?.modelVersion?.id ?? '');
    const refused = await alice.client.postTrackAnnotationsSearches({ ...ask, worker });
    expect(refused.status).toMatchObject({ code: 24155, details: expect.stringContaining('no detector') });
    expect(await trackStatus()).toBe(24304);
    const masks = await alice.client.postTrackAnnotationsSearches({
      ...ask,
      annotationType: AnnotationDataType.MASK,
      worker,
    });
    expect(masks.status).toMatchObject({ code: 24155, details: expect.stringContaining('MASK') });
  });

  test.each([
    [
      'a frame',
      {
        frames: [
          { id: 'f', frameInfo: { time: 100, number: 1 }, data: { concepts: [{ id: 'cat', value: 1 }] } },
        ],
      },
    ],
    [
      'a time segment',
      {
        timeSegments: [
          {
            id: 's',
            timeInfo: { beginTime: 1, endTime: 2.5 },
            data: { concepts: [{ id: 'cat', value: 1 }] },
          },
        ],
      },
    ],
  ])('%s of a video is kept as it was sent', async (_title, data) => {
    const posted = await alice.client.postAnnotations({ annotations: [{ inputId: 'film', data } as never] });
    const annotationId = posted.annotations[0]?.id ?? '';
    const { annotation } = await alice.client.getAnnotation({ inputId: 'film', annotationId });
    expect(annotation?.data).toMatchObject(data);
  });

  test('moments that an input does not have are refused, one by one', async () => {
    await uploadPictures(alice, ['still']);
    const concepts = [{ id: 'x', value: 1 }];
    const at = (inputId: string, frameInfo: object) => ({
      inputId,
      data: { frames: [{ frameInfo, data: { concepts } }] },
    });
    const { annotations } = await alice.client.postAnnotations({
      annotations: [
        at('film', { number: 11 }),
        at('film', { number: 12 }),
        at('film', { time: 5000 }),
        at('still', { number: 0 }),
        {
          inputId: 'still',
          data: { timeSegments: [{ data: { concepts }, timeInfo: { beginTime: 1, endTime: 2 } }] },
        },
      ],
    });
    expect(annotations.map(({ status }) => status?.code)).toEqual([24150, 24155, 24155, 24155, 24155]);
    expect(annotations[1]?.status?.details).toContain('12 frames');
    expect(annotations[3]?.status?.details).toContain('image');
    const patched = await alice.client.patchAnnotations({
      action: 'overwrite',
      annotations: [{ id: annotations[0]?.id ?? '', ...at('film', { number: 99 }) }],
    });
    expect(patched.annotations[0]?.status?.code).toBe(24155);
  });
});
