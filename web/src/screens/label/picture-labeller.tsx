import { useEffect } from 'react';
import { useTranslation } from 'react-i18next';
import { nameOf } from '../../api/media.ts';
import { useModelsOf } from './ask-model.ts';
import { Canvas } from './canvas-view.tsx';
import { Filmstrip } from './filmstrip.tsx';
import { useLabelKeys } from './keys.ts';
import { LabelHeader, type Opened, useLabelling, ZoomButtons } from './labelling.tsx';
import { ObjectList } from './object-list.tsx';
import { Segmenting, SegmentingHint, segmenterTypes } from './segmenting.tsx';
import { Suggestions } from './suggestions.tsx';
import { Toolbar } from './toolbar.tsx';

/** The canvas with what belongs to it: tools at the start, objects at the end, other pictures below. */
export function PictureLabeller({ picture, ...opened }: Opened & { picture: HTMLImageElement }) {
  const { t } = useTranslation();
  const { app, input } = opened;
  const labelling = useLabelling(opened);
  const { editor, state } = labelling;
  const segmenters = useModelsOf(app, segmenterTypes);
  useEffect(() => editor.stage.setPicture(picture), [editor, picture]);
  useLabelKeys(editor, labelling);
  return (
    <div className="labeller">
      <LabelHeader labelling={labelling}>
        <ZoomButtons editor={editor} scale={state.scale} />
      </LabelHeader>
      <Toolbar editor={editor} state={state} canSegment={segmenters.models.length > 0} />
      <Canvas editor={editor} label={nameOf(input)} />
      <aside className="labeller-side" aria-label={t('label.objects')}>
        <Segmenting editor={editor} state={state} app={app} segmenters={segmenters} />
        <ObjectList editor={editor} state={state} />
        <Suggestions editor={editor} state={state} app={app} />
        <SegmentingHint app={app} state={state} segmenters={segmenters} />
      </aside>
      <Filmstrip app={app} input={input} onChoose={labelling.open} />
    </div>
  );
}
