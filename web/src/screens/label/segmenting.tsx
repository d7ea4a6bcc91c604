import type { Model } from '@fovea/contract/rest';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { AppName } from '../../api/queries.ts';
import type { Editor } from '../../canvas/editor.ts';
import type { EditorState } from '../../canvas/editor-state.ts';
import { joined, type Mask, partAt } from '../../canvas/mask.ts';
import type { Point, Shape } from '../../canvas/shapes.ts';
import { Button } from '../../ui/button.tsx';
import { CopyButton } from '../../ui/copy.tsx';
import { Select } from '../../ui/fields.tsx';
import { sayTrouble } from '../../ui/notices.tsx';
import { Waiting } from '../../ui/states.tsx';
import { askModel, choiceOf, type Suggested, type useModelsOf } from './ask-model.ts';

export const segmenterTypes = ['visual-segmenter'] as const;

/**
 * Masks by clicking: a model divides the picture once, and a click offers the part of it that lies under the pointer.
 * What the models here do is divide whole pictures; none of them takes a point by itself.
 */
export function Segmenting({
  editor,
  state,
  app,
  segmenters,
}: {
  editor: Editor;
  state: EditorState;
  app: AppName;
  segmenters: ReturnType<typeof useModelsOf>;
}) {
  const { t } = useTranslation();
  const [chosen, choose] = useState<string>();
  const { models, isKnown } = segmenters;
  const model = models.find((one) => choiceOf(one) === chosen) ?? models[0];
  if (state.tool !== 'segment') return null;
  return (
    <section>
      <h2>{t('tools.segment')}</h2>
      {model ? (
        <>
          <p className="quiet small">{t('segment.words')}</p>
          {models.length > 1 && (
            <Select
              label={t('suggest.model')}
              hideLabel
              choices={models.map((one) => ({ id: choiceOf(one), label: one.name || (one.id ?? '') }))}
              value={choiceOf(model)}
              onChange={choose}
            />
          )}
          {/* Another model or another frame is asked anew. */}
          <Divided key={`${choiceOf(model)} ${state.frame}`} model={model} editor={editor} state={state} />
        </>
      ) : isKnown ? (
        <HowToGetOne app={app} />
      ) : (
        <Waiting />
      )}
    </section>
  );
}

/** Where there is no such model, what would bring one; its tool is not shown then. */
export function SegmentingHint({
  app,
  state,
  segmenters,
}: {
  app: AppName;
  state: EditorState;
  segmenters: ReturnType<typeof useModelsOf>;
}) {
  const { t } = useTranslation();
  if (!segmenters.isKnown || segmenters.models.length > 0 || state.tool === 'segment') return null;
  return (
    <details>
      <summary className="small">{t('tools.segment')}</summary>
      <HowToGetOne app={app} />
    </details>
  );
}

function HowToGetOne({ app }: { app: AppName }) {
  const { t } = useTranslation();
  const command = `npx fovea models pull hf:OWNER/REPO --app ${app.app_id} --type visual-segmenter`;
  return (
    <>
      <p className="quiet small">{t('segment.none')}</p>
      <div className="code">
        <pre dir="ltr">{command}</pre>
        <CopyButton text={command} />
      </div>
    </>
  );
}

function Divided({ model, editor, state }: { model: Model; editor: Editor; state: EditorState }) {
  const { t } = useTranslation();
  const [masks, setMasks] = useState<readonly Suggested[]>();
  useEffect(() => {
    let isHere = true;
    askModel(model, editor).then(
      ({ shapes }) => isHere && setMasks(shapes.filter(({ shape }) => shape.geometry.kind === 'mask')),
      (thrown: unknown) => {
        if (!isHere) return;
        sayTrouble(thrown);
        editor.setTool('select');
      },
    );
    return () => {
      isHere = false;
    };
  }, [model, editor]);
  useEffect(() => {
    if (!masks) return undefined;
    editor.onPoint = (at, isAdding) => offer(editor, masks, at, isAdding);
    return () => {
      editor.onPoint = undefined;
    };
  }, [editor, masks]);
  if (!masks) return <Waiting label={t('segment.looking', { model: model.name || model.id })} />;
  if (masks.length === 0) return <p className="note">{t('segment.nothing')}</p>;
  return (
    <Button
      look="primary"
      icon="check"
      isDisabled={state.suggestions.length === 0}
      aria-keyshortcuts="Enter"
      onPress={() => editor.finish()}
    >
      {t('segment.take')}
    </Button>
  );
}

/** Offers the connected part of a mask under a place; on top of what is offered already, where it is added. */
function offer(editor: Editor, masks: readonly Suggested[], at: Point, isAdding: boolean): void {
  const [hit] = masks
    .toSorted((a, b) => b.value - a.value)
    .flatMap(({ shape }): { shape: Shape; mask: Mask }[] => {
      const mask = shape.geometry.kind === 'mask' ? partAt(shape.geometry.mask, at.x, at.y) : undefined;
      return mask ? [{ shape, mask }] : [];
    });
  if (!hit) return;
  const { suggestions, concept } = editor.snapshot();
  const [offered] = suggestions;
  const isOn = isAdding && offered?.geometry.kind === 'mask';
  const mask = isOn && offered.geometry.kind === 'mask' ? joined(offered.geometry.mask, hit.mask) : hit.mask;
  // What is chosen to be drawn counts; a model that knows its own names fills in where nothing is.
  editor.suggest([{ ...hit.shape, concept: concept ?? hit.shape.concept, geometry: { kind: 'mask', mask } }]);
}
