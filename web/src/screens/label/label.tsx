import type { Annotation, HostedURL, Input } from '@fovea/contract/rest';
import { type ReactNode, useCallback, useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { call, rpc } from '../../api/client.ts';
import { hostedPath, kindOf, labelsOf, stateOf } from '../../api/media.ts';
import { type AppName, useAppName, useRpc } from '../../api/queries.ts';
import { onServerState } from '../../api/server-state.ts';
import { wordsOf } from '../../api/trouble.ts';
import { pathTo, usePlace } from '../../app/place.ts';
import { conceptRefOf, marksOf, shapesOf } from '../../canvas/annotations.ts';
import { whenClosed } from '../../canvas/autosave.ts';
import { readDraft } from '../../canvas/drafts.ts';
import { FrameClock } from '../../canvas/frames.ts';
import type { Drawing } from '../../canvas/shapes.ts';
import type { Size } from '../../canvas/view.ts';
import { Loaded, TroubleNote, Waiting } from '../../ui/states.tsx';
import { AudioLabeller } from './audio-labeller.tsx';
import { PictureLabeller } from './picture-labeller.tsx';
import { TextLabeller } from './text-labeller.tsx';
import { VideoLabeller } from './video-labeller.tsx';

/** One input, to look at and to label. */
export default function Label() {
  const app = useAppName();
  const { path } = usePlace();
  const inputId = path[3] ?? '';
  const { t } = useTranslation();
  const found = useRpc(
    'GetInput',
    { user_app_id: app, input_id: inputId },
    { isFresh: true, everyMs: (data) => (isInWork(data?.input) ? 400 : false) },
  );
  if (!found.data)
    return (
      <div className="page">
        <Loaded query={found}>{() => null}</Loaded>
      </div>
    );
  const { input } = found.data;
  if (isInWork(input)) return <Waiting label={t('label.inWork')} />;
  return input ? <Opened key={inputId} app={app} input={input} /> : null;
}

/** Whether the server has still to look at it: it opens by itself when that is done. */
const isInWork = (input: Input | undefined): boolean =>
  ['pending', 'processing'].includes(stateOf(input?.status));

const openers = { image: openPicture, video: openVideo, audio: openAudio, text: openText } as const;

/**
 * What there is to label, read whole before it is shown. Once: when the input is read again while somebody labels it, what
 * was drawn and every way back stay as they are.
 */
function Opened({ app, input: found }: { app: AppName; input: Input }) {
  const { t } = useTranslation();
  const [input] = useState(found);
  const [screen, setScreen] = useState<ReactNode>();
  const [trouble, setTrouble] = useState<unknown>();
  const [tries, setTries] = useState(1);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another try reads anew
  useEffect(() => {
    let isHere = true;
    openers[kindOf(input.data)](app, input).then(
      (opened) => isHere && setScreen(opened),
      (thrown: unknown) => isHere && setTrouble(thrown),
    );
    return () => {
      isHere = false;
    };
  }, [app, input, tries]);
  const again = useCallback(() => {
    setTrouble(undefined);
    setTries((before) => before + 1);
  }, []);
  useEffect(
    () => (trouble === undefined ? undefined : onServerState((isLost) => isLost || again())),
    [trouble, again],
  );
  if (trouble !== undefined)
    return (
      <div className="page">
        <TroubleNote thrown={trouble} retry={again} />
      </div>
    );
  return screen ?? <Waiting label={t('label.opening')} />;
}

interface Ready {
  readonly size: Size;
  readonly saved: Drawing;
  /** What this browser kept because the server did not have it yet. */
  readonly draft: Drawing | undefined;
}

/** What the server and this browser have of an input; needs no medium, so both are fetched at once. */
async function readStored(app: AppName, { id = '' }: Input): Promise<Stored> {
  // What was drawn a moment ago may still be on its way.
  await whenClosed(app, id);
  const [annotations, draft] = await Promise.all([readAnnotations(app, id), readDraft(app, id)]);
  return { annotations, draft };
}

interface Stored {
  readonly annotations: Annotation[];
  readonly draft: Drawing | undefined;
}

async function readyOf(
  { annotations, draft }: Stored,
  input: Input,
  size: Size,
  clock?: FrameClock,
): Promise<Ready> {
  const labels = labelsOf(input.data).map(conceptRefOf);
  const [shapes, marks] = [await shapesOf(annotations, size, clock), marksOf(annotations)];
  return { size, saved: { shapes, labels, marks }, draft };
}

const perPage = 1000;

async function readAnnotations(app: AppName, inputId: string): Promise<Annotation[]> {
  const all: Annotation[] = [];
  for (let page = 1; ; page++) {
    const { annotations = [] } = await rpc(
      'ListAnnotations',
      { user_app_id: app, input_ids: [inputId], page, per_page: perPage },
      { quiet: true },
    );
    all.push(...annotations);
    if (annotations.length < perPage) return all;
  }
}

/** @throws Error with the server's words where it has no medium to show */
function pathOf(input: Input, hosted: HostedURL | undefined): string {
  const path = hostedPath(hosted, 'orig');
  if (!path) throw new Error(wordsOf(input.status) || input.id);
  return path;
}

async function openPicture(app: AppName, input: Input): Promise<ReactNode> {
  const picture = new Image();
  picture.src = pathOf(input, input.data?.image?.hosted);
  const [stored] = await Promise.all([readStored(app, input), picture.decode()]);
  const size = { width: picture.naturalWidth, height: picture.naturalHeight };
  return (
    <PictureLabeller app={app} input={input} picture={picture} {...(await readyOf(stored, input, size))} />
  );
}

async function openVideo(app: AppName, input: Input): Promise<ReactNode> {
  pathOf(input, input.data?.video?.hosted);
  const { width = 0, height = 0 } = input.data?.video?.video_info ?? {};
  if (width === 0 || height === 0) throw new Error(wordsOf(input.status) || input.id);
  const inputId = input.id ?? '';
  const path = `/v2/ext/fovea${pathTo('users', app.user_id, 'apps', app.app_id, 'inputs', inputId)}/frames`;
  const [{ frames }, { annotation_tracks = [] }, stored] = await Promise.all([
    call<{ frames: { times_ms: number[]; duration_ms: number } }>('GET', path, undefined, { quiet: true }),
    rpc('ListAnnotationTracks', { user_app_id: app, input_id: inputId, per_page: perPage }, { quiet: true }),
    readStored(app, input),
  ]);
  const clock = new FrameClock(frames.times_ms, frames.duration_ms);
  const ready = await readyOf(stored, input, { width, height }, clock);
  const tracks = new Set(annotation_tracks.flatMap(({ id }) => id ?? []));
  return <VideoLabeller app={app} input={input} video={{ clock, tracks }} {...ready} />;
}

/** Sounds and texts have no pixels; their marks count milliseconds and characters. */
const noPixels: Size = { width: 1, height: 1 };

async function openAudio(app: AppName, input: Input): Promise<ReactNode> {
  pathOf(input, input.data?.audio?.hosted);
  const seconds = input.data?.audio?.audio_info?.duration_seconds ?? 0;
  const ready = await readyOf(await readStored(app, input), input, noPixels);
  return <AudioLabeller app={app} input={input} durationMs={Math.round(seconds * 1000)} {...ready} />;
}

async function openText(app: AppName, input: Input): Promise<ReactNode> {
  const { raw, hosted } = input.data?.text ?? {};
  const text = raw || (await (await fetch(pathOf(input, hosted))).text());
  const ready = await readyOf(await readStored(app, input), input, noPixels);
  return <TextLabeller app={app} input={input} text={text} {...ready} />;
}
