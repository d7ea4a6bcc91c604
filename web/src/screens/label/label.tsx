import type { Annotation, Input } from '@fovea/contract/rest';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { rpc } from '../../api/client.ts';
import { hostedPath, kindOf, nameOf } from '../../api/media.ts';
import { type AppName, useAppName, useRpc } from '../../api/queries.ts';
import { usePlace } from '../../app/place.ts';
import { conceptRefOf, shapesOf } from '../../canvas/annotations.ts';
import { readDraft } from '../../canvas/drafts.ts';
import type { Drawing } from '../../canvas/shapes.ts';
import type { Size } from '../../canvas/view.ts';
import { Empty, Loaded, TroubleNote, Waiting } from '../../ui/states.tsx';
import { PictureLabeller } from './picture-labeller.tsx';

const annotationsPerPage = 1_000;

/** One input, to look at and to label. */
export default function Label() {
  const app = useAppName();
  const { path } = usePlace();
  const inputId = path[3] ?? '';
  const found = useRpc('GetInput', { user_app_id: app, input_id: inputId });
  return (
    <Loaded query={found}>
      {({ input }) => (input ? <Opened key={inputId} app={app} input={input} /> : null)}
    </Loaded>
  );
}

function Opened({ app, input }: { app: AppName; input: Input }) {
  const { t } = useTranslation();
  if (kindOf(input.data) === 'image') return <OpenedPicture app={app} input={input} />;
  return (
    <div className="page">
      <h1>{nameOf(input)}</h1>
      {input.data?.text && <p className="preview-text card">{input.data.text.raw}</p>}
      {input.data?.audio && (
        // biome-ignore lint/a11y/useMediaCaption: what people upload has no captions
        <audio controls src={hostedPath(input.data.audio.hosted, 'orig')} />
      )}
      {!input.data?.text && !input.data?.audio && <Empty icon="image" title={t('label.cannotShow')} />}
    </div>
  );
}

interface Ready {
  readonly picture: HTMLImageElement;
  readonly size: Size;
  readonly saved: Drawing;
  /** What this browser kept because the server did not have it yet. */
  readonly draft: Drawing | undefined;
}

function OpenedPicture({ app, input }: { app: AppName; input: Input }) {
  const { t } = useTranslation();
  const [ready, setReady] = useState<Ready>();
  const [trouble, setTrouble] = useState<unknown>();
  useEffect(() => {
    let isHere = true;
    openPicture(app, input).then(
      (opened) => isHere && setReady(opened),
      (thrown: unknown) => isHere && setTrouble(thrown),
    );
    return () => {
      isHere = false;
    };
  }, [app, input]);
  if (trouble !== undefined)
    return (
      <div className="page">
        <TroubleNote thrown={trouble} />
      </div>
    );
  if (!ready) return <Waiting label={t('label.opening')} />;
  return <PictureLabeller app={app} input={input} {...ready} />;
}

async function openPicture(app: AppName, input: Input): Promise<Ready> {
  const inputId = input.id ?? '';
  const path = hostedPath(input.data?.image?.hosted, 'orig');
  if (!path) throw new Error(input.status?.details || input.status?.description || inputId);
  const [picture, annotations, draft] = await Promise.all([
    loadPicture(path),
    annotationsOf(app, inputId),
    readDraft(app, inputId),
  ]);
  const size = { width: picture.naturalWidth, height: picture.naturalHeight };
  const labels = (input.data?.concepts ?? []).filter(({ value }) => (value ?? 0) > 0).map(conceptRefOf);
  return { picture, size, saved: { shapes: await shapesOf(annotations, size), labels }, draft };
}

/** All annotations of an input, however many pages they fill. */
async function annotationsOf(app: AppName, inputId: string): Promise<Annotation[]> {
  const all: Annotation[] = [];
  for (let page = 1; ; page++) {
    const { annotations = [] } = await rpc(
      'ListAnnotations',
      { user_app_id: app, input_ids: [inputId], page, per_page: annotationsPerPage },
      { quiet: true },
    );
    all.push(...annotations);
    if (annotations.length < annotationsPerPage) return all;
  }
}

async function loadPicture(path: string): Promise<HTMLImageElement> {
  const picture = new Image();
  picture.src = path;
  await picture.decode();
  return picture;
}
