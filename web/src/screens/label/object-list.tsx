import { type KeyboardEvent, memo, useEffect, useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { conceptName } from '../../api/media.ts';
import { useAppName, useRpc } from '../../api/queries.ts';
import { conceptRefOf } from '../../canvas/annotations.ts';
import type { Editor } from '../../canvas/editor.ts';
import type { EditorState } from '../../canvas/editor-state.ts';
import { boxOf, type ConceptRef, namesOf, type Shape } from '../../canvas/shapes.ts';
import { colorOf } from '../../gallery/colors.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { Icon, type IconName } from '../../ui/icon.tsx';
import { Troubles } from '../../ui/states.tsx';
import { ConceptField } from '../inputs/label-field.tsx';
import { setDigitConcepts } from './digits.ts';

const icons: Readonly<Record<Shape['geometry']['kind'], IconName>> = {
  box: 'box',
  polygon: 'polygon',
  mask: 'brush',
  point: 'point',
};

/**
 * The same drawing in words: labels of the whole, what to draw, and every shape. Everything that can be done on
 * the canvas can be done from here with the keyboard alone.
 */
export function ObjectList({ editor, state }: { editor: Editor; state: EditorState }) {
  const { t } = useTranslation();
  const shapes = editor.allHere.toReversed();
  return (
    <>
      <WholeLabels editor={editor} state={state} />
      <ConceptChoices editor={editor} state={state} title={t('label.drawTitle')} />
      <section>
        <div className="row between">
          <h2>{t('label.shapesTitle', { count: shapes.length })}</h2>
          <span className="row">
            {state.selected.size > 0 && (
              <>
                <IconButton
                  icon="toFront"
                  label={t('label.toFront')}
                  shortcut="PageUp"
                  onPress={() => editor.order(1)}
                />
                <IconButton
                  icon="toBack"
                  label={t('label.toBack')}
                  shortcut="PageDown"
                  onPress={() => editor.order(-1)}
                />
              </>
            )}
            <Button isSmall icon="add" onPress={() => editor.addByKeyboard()}>
              {t('label.addBox')}
            </Button>
          </span>
        </div>
        <ul className="plain object-list" aria-label={t('label.shapesLabel')}>
          {shapes.slice(0, 400).map((shape) => (
            <Row
              key={shape.id}
              shape={shape}
              editor={editor}
              isSelected={state.selected.has(shape.id)}
              isHidden={editor.isHidden(shape)}
              isBetween={editor.between.has(shape.id)}
            />
          ))}
        </ul>
      </section>
    </>
  );
}

/** Labels of the whole input. */
export function WholeLabels({ editor, state }: { editor: Editor; state: EditorState }) {
  const { t } = useTranslation();
  const { labels } = state.drawing;
  return (
    <section>
      <h2>{t('label.wholeTitle')}</h2>
      <ul className="plain row">
        {labels.map((label) => (
          <li key={label.id} className="chip">
            {label.name}
            <IconButton
              icon="close"
              label={t('label.removeLabel', { concept: label.name })}
              onPress={() => editor.setLabels(labels.filter(({ id }) => id !== label.id))}
            />
          </li>
        ))}
      </ul>
      <ConceptField
        label={t('label.addLabel')}
        hideLabel
        onChoose={(concept) => {
          const added = conceptRefOf(concept);
          if (!labels.some(({ id }) => id === added.id)) editor.setLabels([...labels, added]);
        }}
      />
    </section>
  );
}

/** What is drawn or marked next; the first nine by their digit. */
export function ConceptChoices({
  editor,
  state,
  title,
}: {
  editor: Editor;
  state: EditorState;
  title: string;
}) {
  const { t } = useTranslation();
  const app = useAppName();
  const listed = useRpc('ListConcepts', { user_app_id: app, per_page: 200 });
  const concepts = useMemo(() => {
    const known = (listed.data?.concepts ?? []).map(conceptRefOf);
    const used = [
      ...state.drawing.shapes.flatMap(({ concept }) => concept ?? []),
      ...(state.drawing.marks ?? []).map(({ concept }) => concept),
      ...(state.concept ? [state.concept] : []),
    ];
    return [...new Map([...known, ...used].map((concept) => [concept.id, concept])).values()];
  }, [listed.data, state.drawing, state.concept]);
  useEffect(() => {
    setDigitConcepts(editor, concepts);
    const [first] = concepts;
    if (first && !editor.snapshot().concept) editor.setConcept(first);
  }, [editor, concepts]);
  return (
    <section>
      <h2>{title}</h2>
      <Troubles queries={[listed]} />
      <ul className="plain concept-choices" aria-label={title}>
        {concepts.slice(0, 60).map((concept, i) => (
          <li key={concept.id}>
            <ConceptChoice
              concept={concept}
              digit={i < 9 ? i + 1 : undefined}
              isChosen={state.concept?.id === concept.id}
              choose={() => editor.setConcept(concept)}
            />
          </li>
        ))}
      </ul>
      <ConceptField
        label={t('label.newConcept')}
        hideLabel
        onChoose={(concept) => editor.setConcept({ id: concept.id ?? '', name: conceptName(concept) })}
      />
    </section>
  );
}

function ConceptChoice({
  concept,
  digit,
  isChosen,
  choose,
}: {
  concept: ConceptRef;
  digit: number | undefined;
  isChosen: boolean;
  choose: () => void;
}) {
  return (
    <Button
      look="ghost"
      isSmall
      aria-pressed={isChosen}
      onPress={choose}
      {...(digit ? { 'aria-keyshortcuts': String(digit) } : {})}
    >
      <Swatch id={concept.id} />
      {concept.name}
      {digit && <kbd>{digit}</kbd>}
    </Button>
  );
}

export const Swatch = ({ id }: { id: string }) => (
  <svg className="swatch" viewBox="0 0 10 10" aria-hidden="true">
    <circle cx="5" cy="5" r="5" fill={colorOf(id)} />
  </svg>
);

/** Hundreds of rows stand beside a hundred strokes a minute: each is made again only when it is itself another. */
const Row = memo(RowOfShape);

function RowOfShape({
  shape,
  editor,
  isSelected,
  isHidden,
  isBetween,
}: {
  shape: Shape;
  editor: Editor;
  isSelected: boolean;
  isHidden: boolean;
  isBetween: boolean;
}) {
  const { t } = useTranslation();
  const { id, geometry, concept, isLocked } = shape;
  const one = new Set([id]);
  const name = namesOf(shape).join(' ') || t('label.noConcept');
  const { left, top, right, bottom } = boxOf(geometry);
  const words = t('label.shape', {
    kind: t(`tools.${geometry.kind === 'mask' ? 'brush' : geometry.kind}`),
    // What is seen in the row is part of what it is called.
    concept: isBetween ? `${name} ${t('video.between')}` : name,
    left,
    top,
    width: right - left,
    height: bottom - top,
  });
  const press = (event: KeyboardEvent) => {
    if (event.key !== 'Delete' && event.key !== 'Backspace') return;
    const list = (event.currentTarget as HTMLElement).closest('ul');
    const row = (event.currentTarget as HTMLElement).closest('li');
    const next = (row?.nextElementSibling ?? row?.previousElementSibling)?.querySelector('button');
    editor.select(one);
    editor.delete();
    event.preventDefault();
    event.stopPropagation();
    // Focus is never lost with what was deleted.
    if (next) next.focus();
    else list?.parentElement?.querySelector('button')?.focus();
  };
  return (
    <li
      className={isSelected ? 'selected' : ''}
      onPointerEnter={() => editor.hover(id)}
      onPointerLeave={() => editor.hover(undefined)}
    >
      <Button
        look="ghost"
        isSmall
        aria-pressed={isSelected}
        aria-label={words}
        onPress={(event) => {
          const ids = new Set(
            event.shiftKey || event.ctrlKey || event.metaKey ? editor.snapshot().selected : [],
          );
          if (!ids.delete(id)) ids.add(id);
          editor.select(ids);
        }}
        onKeyDown={(event) => {
          press(event as unknown as KeyboardEvent);
          // Arrows move the shape, which the screen hears; Enter and Space choose it.
          if ('continuePropagation' in event)
            (event as { continuePropagation: () => void }).continuePropagation();
        }}
      >
        <Icon name={icons[geometry.kind]} size={15} />
        <Swatch id={concept?.id ?? ''} />
        <span className="grow">{name}</span>{' '}
        {isBetween && <span className="quiet small">{t('video.between')}</span>}
      </Button>
      <IconButton
        icon={isHidden ? 'eyeOff' : 'eye'}
        label={t(isHidden ? 'label.show' : 'label.hide')}
        onPress={() => editor.toggleHidden(one)}
      />
      <IconButton
        icon={isLocked ? 'lock' : 'unlock'}
        label={t(isLocked ? 'label.unlock' : 'label.lock')}
        onPress={() => editor.toggleLock(one)}
      />
      <IconButton
        icon="trash"
        label={t('label.deleteShape')}
        isDisabled={isLocked || isBetween}
        onPress={() => {
          editor.select(one);
          editor.delete();
        }}
      />
    </li>
  );
}
