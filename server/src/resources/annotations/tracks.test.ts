import { setTimeout as sleep } from 'node:timers/promises';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { AnnotationDataType, type MethodRule, methodRules } from '@fovea/contract';
import { beforeAll, describe, expect, test } from 'vitest';
import { openClient } from '#testing/client.ts';
import { ffmpegPath, numberedClip } from '#testing/clips.ts';
import { uploadPictures } from '#testing/inputs.ts';
import { type Json, type Person, signedIn } from '#testing/people.ts';

const box = (left: number) => ({
  boundingBox: { topRow: 0.25, leftCol: left, bottomRow: 0.5, rightCol: left + 0.25 },
});

/** A region of a track in one frame; the clip shows 25 frames a second. */
const inFrame = (number: number, regionInfo: object, trackId = 'ball') => ({
  inputId: 'clip',
  data: {
    frames: [
      {
        frameInfo: { number, time: number * 40 },
        data: { regions: [{ trackId, regionInfo, data: { concepts: [{ id: 'ball', value: 1 }] } }] },
      },
    ],
  },
});

/** All messages of a stream that the server alone sends. */
function streamed(person: Person, rpc: string, request: object): Promise<Json[]> {
  const rule = methodRules.find(({ localName }) => localName === rpc) as MethodRule;
  const owner = { userId: person.userId, appId: person.appId };
  const { channel, headers } = openClient(
    new URL(person.url).host,
    { authorization: `Key ${person.pat}` },
    owner,
  );
  const stream = channel.makeServerStreamRequest(
    rule.path,
    (message: object) => Buffer.from(toBinary(rule.desc.input, message as never)),
    (bytes) => fromBinary(rule.desc.output, bytes),
    create(rule.desc.input, { userAppId: owner, ...request } as never) as object,
    headers,
  );
  return new Promise((resolve, reject) => {
    const messages: Json[] = [];
    stream.on('data', (message: Json) => messages.push(message));
    stream.on('error', reject);
    stream.on('end', () => {
      channel.close();
      resolve(messages);
    });
  });
}

describe.skipIf(!ffmpegPath)('tracks of a video', () => {
  let alice: Person;
  const numbersOf = (reply: { annotations: { data?: { frames: { frameInfo?: { number: number } }[] } }[] }) =>
    reply.annotations.map(({ data }) => data?.frames[0]?.frameInfo?.number);
  const mine = () => ({ worker: { case: 'user' as const, value: { id: 'me' } } });

  beforeAll(async () => {
    alice = await signedIn('alice');
    await uploadPictures(alice, ['still']);
    const clip = await numberedClip({ ending: 'mp4', frames: 100 });
    await alice.client.postInputs({ inputs: [{ id: 'clip', data: { video: { base64: clip } } }] });
    for (let code = 0; code !== 30000; await sleep(50))
      code = (await alice.client.getInput({ inputId: 'clip' })).input?.status?.code ?? 0;
  });

  test('a frame is patched by its time or by its number alone, and stays one frame', async () => {
    const { annotations } = await alice.client.postAnnotations({
      annotations: [inFrame(10, box(0), 'still')],
    });
    const id = annotations[0]?.id as string;
    for (const [frameInfo, left] of [
      [{ time: 400 }, 0.25],
      [{ number: 10 }, 0.5],
    ] as const) {
      const frame = { frameInfo, data: { regions: [{ regionInfo: box(left) }] } };
      const patched = { id, inputId: 'clip', data: { frames: [frame] } };
      const reply = await alice.client.patchAnnotations({ action: 'merge', annotations: [patched] });
      expect(reply.annotations[0]?.status).toMatchObject({ code: 24150 });
      expect(reply.annotations[0]?.data?.frames).toMatchObject([
        { frameInfo: { number: 10, time: 400 }, data: { regions: [{ regionInfo: box(left) }] } },
      ]);
    }
    await alice.client.deleteAnnotation({ inputId: 'clip', annotationId: id });
  });

  test('a track is made with its concept, listed, changed field by field, and deleted with its annotations', async () => {
    const made = await alice.client.postAnnotationTracks({
      inputId: 'clip',
      annotationTracks: [
        { id: 't', concept: { name: 'red ball' }, startFrameNr: 5, endFrameNr: 20 },
        { id: 'u' },
      ],
    });
    expect(made.status?.code, made.status?.details).toBe(10000);
    expect(made.annotationTracks[0]).toMatchObject({
      id: 't',
      inputId: 'clip',
      concept: { id: 'red ball', name: 'red ball' },
      status: { code: 24300 },
      startFrameNr: 5,
    });
    const list = async (ids: string[] = []) =>
      (await alice.client.listAnnotationTracks({ inputId: 'clip', ids })).annotationTracks;
    expect((await list()).map(({ id }) => id)).toEqual(['u', 't']);
    const patched = await alice.client.patchAnnotationTracks({
      inputId: 'clip',
      action: 'overwrite',
      annotationTracks: [{ id: 't', status: { code: 24303 }, endFrameNr: 30 }],
    });
    expect(patched.annotationTracks[0]).toMatchObject({
      status: { code: 24303 },
      startFrameNr: 5,
      endFrameNr: 30,
    });
    await alice.rest('PATCH', 'inputs/clip/annotation_tracks', {
      action: 'overwrite',
      annotation_tracks: [{ id: 't', start_frame_nr: 0 }],
    });
    expect((await list(['t']))[0]).toMatchObject({
      startFrameNr: 0,
      endFrameNr: 30,
      concept: { id: 'red ball' },
    });

    const posted = await alice.client.postAnnotations({ annotations: [inFrame(6, box(0.1), 't')] });
    const gone = await alice.client.deleteAnnotationTracks({ inputId: 'clip', ids: ['t'] });
    expect(gone.status?.code).toBe(10000);
    expect((await list()).map(({ id }) => id)).toEqual(['u']);
    const read = await alice.client.getAnnotation({
      inputId: 'clip',
      annotationId: posted.annotations[0]?.id,
    });
    expect(read.status?.code).toBe(11101);
  });

  test.each<[string, Json, number, RegExp]>([
    ['an end before the start', [{ start_frame_nr: 5, end_frame_nr: 4 }], 24155, /\[0\].end_frame_nr is 4/],
    [
      'a status of something else',
      [{ id: 'x' }, { status: { code: 24150 } }],
      24155,
      /\[1\].status.code is 24150/,
    ],
    ['an id that is taken', [{ id: 'twin' }, { id: 'twin' }], 40010, /twin/],
  ])('%s is refused, and nothing is made', async (_title, annotation_tracks, code, words) => {
    const count = async () =>
      (await alice.client.listAnnotationTracks({ inputId: 'clip' })).annotationTracks.length;
    const before = await count();
    const { json } = await alice.rest('POST', 'inputs/clip/annotation_tracks', { annotation_tracks });
    expect(json.status).toMatchObject({ code, details: expect.stringMatching(words) });
    expect(await count()).toBe(before);
  });

  test('tracks are of videos', async () => {
    const refused = await alice.client.postAnnotationTracks({
      inputId: 'still',
      annotationTracks: [{ id: 'x' }],
    });
    expect(refused.status).toMatchObject({ code: 24155, details: expect.stringContaining('image') });
    const missing = await alice.client.postAnnotationTracks({
      inputId: 'none',
      annotationTracks: [{ id: 'x' }],
    });
    expect(missing.status?.code).toBe(11101);
  });

  test('between keyframes a tracked box moves evenly, at the rate of its track', async () => {
    const keyframes = [inFrame(0, box(0)), inFrame(10, box(0.5)), inFrame(90, box(0.6))];
    await alice.client.postAnnotations({ annotations: keyframes });
    await alice.client.postAnnotations({ annotations: [inFrame(4, { point: { row: 0.5, col: 0.5 } })] });
    const ask = {
      inputId: 'clip',
      trackId: 'ball',
      annotationType: AnnotationDataType.BOUNDING_BOX,
      worker: mine(),
    };
    expect(numbersOf(await alice.client.postTrackAnnotationsSearches(ask))).toEqual([0, 10]);

    await alice.client.postAnnotationTracks({
      inputId: 'clip',
      annotationTracks: [{ id: 'ball', endFrameNr: 20, sampleRateFrame: 2 }],
    });
    const found = await alice.client.postTrackAnnotationsSearches(ask);
    expect(numbersOf(found)).toEqual([0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20]);
    const moved = found.annotations[2]?.data?.frames[0];
    expect(moved?.frameInfo?.time).toBe(160);
    expect(moved?.data?.regions[0]?.regionInfo?.boundingBox?.leftCol).toBeCloseTo(0.2, 5);
    expect(moved?.data?.regions[0]?.data?.concepts[0]?.id).toBe('ball');
    expect(found.annotations[2]?.annotationInfo).toMatchObject({ interpolated: true });

    const window = await alice.client.postTrackAnnotationsSearches({
      ...ask,
      frameNumberStart: 4,
      maxFrames: 3,
    });
    expect(numbersOf(window)).toEqual([4, 6, 8]);
    const brief = await alice.client.postTrackAnnotationsSearches({
      ...ask,
      frameTimeStart: 80,
      maxDuration: 161,
    });
    expect(numbersOf(brief)).toEqual([2, 4, 6]);
    const points = await alice.client.postTrackAnnotationsSearches({
      inputId: 'clip',
      trackId: 'ball',
      annotationType: AnnotationDataType.POINT,
    });
    expect(numbersOf(points)).toEqual([4]);
    const nobody = await alice.client.postTrackAnnotationsSearches({ ...ask, worker: undefined });
    expect(nobody.status).toMatchObject({ code: 24155, details: expect.stringContaining('worker') });
  });

  test('after a keyframe in which its object leaves nothing is worked out until the next', async () => {
    const leaving = { ...inFrame(4, box(0.1), 'leaver'), annotationInfo: { fovea: { outside_after: true } } };
    const annotations = [
      inFrame(0, box(0), 'leaver'),
      leaving,
      inFrame(8, box(0.2), 'leaver'),
      inFrame(10, box(0.3), 'leaver'),
    ];
    await alice.client.postAnnotations({ annotations });
    await alice.client.postAnnotationTracks({
      inputId: 'clip',
      annotationTracks: [{ id: 'leaver', endFrameNr: 10, sampleRateFrame: 1 }],
    });
    const found = await alice.client.postTrackAnnotationsSearches({
      inputId: 'clip',
      trackId: 'leaver',
      annotationType: AnnotationDataType.BOUNDING_BOX,
      worker: mine(),
    });
    expect(numbersOf(found)).toEqual([0, 1, 2, 3, 4, 8, 9, 10]);
  });

  test('streamTrackAnnotationsSearches and streamAnnotations send a track one by one, to its end', async () => {
    const many = [0, 3, 90].map((number) => inFrame(number, box(0.1), 'long'));
    await alice.client.postAnnotations({ annotations: many });
    const tracks = await streamed(alice, 'streamTrackAnnotationsSearches', {
      inputId: 'clip',
      trackId: 'long',
    });
    expect(numbersOf({ annotations: tracks.map(({ annotation }) => annotation) })).toEqual([0, 3, 90]);
    const both = await streamed(alice, 'streamAnnotations', {
      inputId: 'clip',
      trackIds: ['long', 'ball'],
      maxFrames: 3,
    });
    expect(
      both.map(({ annotation, frameFullyProcessed }) => [
        annotation.data.frames[0].frameInfo.number,
        frameFullyProcessed,
      ]),
    ).toEqual([
      [0, false],
      [0, true],
      [2, true],
      [3, true],
    ]);
  });
});
