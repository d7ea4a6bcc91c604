import { api, file, makeApp, postMedia, type User } from './browser.ts';

/** What the screens are shown for: the sample app, and one with nothing in it. */
export interface Ground {
  readonly user: User;
  readonly app: string;
  readonly emptyApp: string;
  /** Videos, sounds, texts and places. */
  readonly mediaApp: string;
  readonly inputId: string;
  readonly modelId: string;
}

/** A video of 60 frames at 25 a second, and a sound of four seconds. */
export interface Clips {
  readonly video: Buffer;
  readonly sound: Buffer;
}

/** Fills what the walk looks at beyond the sample: a workflow, a second version, an app with nothing in it. */
export async function furnish(user: User, app: string, clips: Clips | undefined): Promise<Ground> {
  await makeApp(user, 'empty');
  const { models = [] } = await api<{ models?: { id: string }[] }>(user, 'GET', `apps/${app}/models`);
  const modelId = models[0]?.id ?? '';
  await api(user, 'POST', `apps/${app}/workflows`, {
    workflows: [
      {
        id: 'two-steps',
        nodes: [
          {
            id: 'look',
            model: { id: 'general-image-embedding', user_id: 'clarifai', app_id: 'main' },
          },
          { id: 'name', model: { id: modelId }, node_inputs: [{ node_id: 'look' }] },
        ],
      },
    ],
  });
  for (let version = 0; version < 2; version++)
    await api(user, 'POST', `apps/${app}/datasets/train/versions`, { dataset_versions: [{}] });
  await api(user, 'POST', 'keys', {
    keys: [{ description: 'the laptop in the lab', type: 'personal_access_token', scopes: ['All'] }],
  });
  const { inputs = [] } = await api<{ inputs?: { id: string; data: { concepts: { id: string }[] } }[] }>(
    user,
    'GET',
    `apps/${app}/inputs?per_page=100`,
  );
  await evaluateAgain(user, app, modelId);
  await furnishMedia(user, clips);
  const boat = inputs.find(({ data }) => data.concepts?.some(({ id }) => id === 'boat')) ?? inputs[0];
  return { user, app, emptyApp: 'empty', mediaApp: 'media', inputId: boat?.id ?? '', modelId };
}

/** A second evaluation, to compare with the first. */
async function evaluateAgain(user: User, app: string, modelId: string): Promise<void> {
  const named = { user_id: user.id, app_id: app };
  await api(user, 'POST', `apps/${app}/evaluations`, {
    eval_metrics: [
      { id: 'again', model: { id: modelId, ...named }, ground_truth_dataset: { id: 'train', ...named } },
    ],
  });
  for (let tries = 0; tries < 300; tries++) {
    const { eval_metrics } = await api<{ eval_metrics?: { status?: { code?: number } } }>(
      user,
      'GET',
      `apps/${app}/evaluations/again`,
    );
    if (eval_metrics?.status?.code === 21300) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error('the second evaluation was not there within a minute');
}

const words =
  'The lighthouse at Cape Grey was lit for the first time in 1871. Its keeper, Ada Holm, wrote down every ship that ' +
  'passed: their names, their flags, and the weather. Ships from Bergen came in spring, those from Lisbon in autumn.';

/** An app with something of every kind, labelled, some of it at places of the world. */
async function furnishMedia(user: User, clips: Clips | undefined): Promise<void> {
  const app = 'media';
  await makeApp(user, app);
  const places = [
    ['bergen', 60.39, 5.32],
    ['lisbon', 38.72, -9.14],
    ['nairobi', -1.29, 36.82],
  ] as const;
  const pictures = await Promise.all(
    places.map(async ([id, latitude, longitude], i) => ({
      id,
      data: {
        image: { base64: (await file('circle', i)).buffer.toString('base64') },
        geo: { geo_point: { latitude, longitude } },
      },
    })),
  );
  const moving = clips
    ? [
        { id: 'clip', data: { video: { base64: clips.video.toString('base64') } } },
        { id: 'tone', data: { audio: { base64: clips.sound.toString('base64') } } },
      ]
    : [];
  const text = { id: 'words', data: { text: { raw: words } } };
  await postMedia(user, app, [...pictures, ...moving, text]);
  const concept = (id: string) => ({ concepts: [{ id, value: 1 }] });
  const span = (word: string, id: string) => {
    const at = words.indexOf(word);
    const region_info = { span: { char_start: at, char_end: at + word.length } };
    return { input_id: 'words', data: { regions: [{ region_info, data: concept(id) }] } };
  };
  const stretch = (input_id: string, from: number, to: number, id: string) => ({
    input_id,
    data: { time_segments: [{ time_info: { begin_time: from, end_time: to }, data: concept(id) }] },
  });
  const keyframe = (number: number, left: number) => ({
    input_id: 'clip',
    data: {
      frames: [
        {
          frame_info: { number, time: number * 40 },
          data: {
            regions: [
              {
                track_id: 'ferry',
                region_info: {
                  bounding_box: { top_row: 0.25, bottom_row: 0.75, left_col: left, right_col: left + 0.3 },
                },
                data: concept('ship'),
              },
            ],
          },
        },
      ],
    },
  });
  const marks = clips
    ? [
        stretch('tone', 500, 1500, 'horn'),
        stretch('tone', 2000, 3600, 'wind'),
        stretch('clip', 400, 1200, 'arrival'),
        ...[keyframe(0, 0.05), keyframe(20, 0.35), keyframe(40, 0.6)],
      ]
    : [];
  if (clips)
    await api(user, 'POST', `apps/${app}/inputs/clip/annotation_tracks`, {
      annotation_tracks: [{ id: 'ferry', concept: { id: 'ship' }, start_frame_nr: 0, end_frame_nr: 40 }],
    });
  await api(user, 'POST', `apps/${app}/annotations`, {
    annotations: [span('Ada Holm', 'person'), span('Bergen', 'place'), span('Lisbon', 'place'), ...marks],
  });
}
