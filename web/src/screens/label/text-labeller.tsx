import { useCallback, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Button } from '../../ui/button.tsx';
import { TextField } from '../../ui/fields.tsx';
import { useLabelKeys } from './keys.ts';
import { LabelHeader, type Opened, useLabelling } from './labelling.tsx';
import { MarkList } from './mark-list.tsx';
import { ConceptChoices, WholeLabels } from './object-list.tsx';
import { charactersIn, piecesOf } from './text-pieces.ts';
import { laneColor, type Range } from './timeline.tsx';

const charactersShown = 40;

/** A text whose parts are labelled by selecting them; the whole of it has labels too. */
export function TextLabeller({ text, ...opened }: Opened & { text: string }) {
  const { t } = useTranslation();
  const labelling = useLabelling(opened);
  const { editor, state } = labelling;
  const characters = useMemo(() => [...text], [text]);
  const page = useRef<HTMLDivElement>(null);
  const [chosen, setChosen] = useState<Range>();
  const spans = (state.drawing.marks ?? []).filter(({ kind }) => kind === 'span');
  const pieces = piecesOf(characters, spans);
  const read = useCallback(() => {
    const range = page.current && selectedIn(page.current);
    if (range) setChosen(range);
  }, []);
  const take = () => {
    if (!chosen) return;
    editor.mark('span', chosen.from, Math.min(chosen.to, characters.length));
    getSelection()?.removeAllRanges();
    setChosen(undefined);
  };
  const first = useCallback(
    (event: KeyboardEvent) => {
      if (event.key !== 'Enter' || event.ctrlKey || event.metaKey || !chosen) return false;
      if ((event.target as Element).closest('button, a')) return false;
      editor.mark('span', chosen.from, Math.min(chosen.to, characters.length));
      setChosen(undefined);
      return true;
    },
    [editor, chosen, characters],
  );
  useLabelKeys(editor, labelling, first);
  const excerpt = ({ from, to }: Range) => {
    const words = characters.slice(from, to).join('');
    return words.length > charactersShown ? `${words.slice(0, charactersShown)}…` : words;
  };
  const number = (value: string): number => Math.min(characters.length, Math.max(0, Number(value) || 0));
  return (
    <div className="labeller plain-medium">
      <LabelHeader labelling={labelling} />
      <div className="labeller-main">
        {/* biome-ignore lint/a11y/noStaticElementInteractions: the fields beside it do the same by keyboard */}
        <div className="text-page" ref={page} dir="auto" onPointerUp={read} onKeyUp={read}>
          {pieces.map(({ from, text: words, marks }) =>
            marks.length === 0 ? (
              <span key={from}>{words}</span>
            ) : (
              <mark
                key={from}
                title={marks.map(({ concept }) => concept.name).join(', ')}
                style={{
                  boxShadow: marks
                    .map(({ concept }, i) => `inset 0 ${-3 * (i + 1)}px ${laneColor(concept.id)}`)
                    .toReversed()
                    .join(', '),
                }}
              >
                {words}
              </mark>
            ),
          )}
        </div>
      </div>
      <aside className="labeller-side" aria-label={t('label.objects')}>
        <WholeLabels editor={editor} state={state} />
        <ConceptChoices editor={editor} state={state} title={t('marks.as')} />
        <section>
          <h2>{t('marks.selection')}</h2>
          {chosen ? (
            <p className="quiet small" dir="auto">
              {excerpt(chosen)}
            </p>
          ) : (
            <p className="quiet small">{t('marks.selectWords')}</p>
          )}
          <div className="row">
            <TextField
              label={t('marks.from')}
              inputMode="numeric"
              value={String(chosen?.from ?? '')}
              onChange={(value) =>
                setChosen({ from: number(value), to: Math.max(number(value), chosen?.to ?? 0) })
              }
            />
            <TextField
              label={t('marks.to')}
              inputMode="numeric"
              value={String(chosen?.to ?? '')}
              onChange={(value) => setChosen({ from: chosen?.from ?? 0, to: number(value) })}
            />
          </div>
          <Button
            icon="label"
            isDisabled={!chosen || chosen.to <= chosen.from || state.concept === undefined}
            onPress={take}
          >
            {t('video.markRange', { concept: state.concept?.name ?? '' })}
          </Button>
        </section>
        <MarkList
          editor={editor}
          marks={spans}
          title={t('marks.spans', { count: spans.length })}
          said={excerpt}
          goTo={setChosen}
        />
      </aside>
    </div>
  );
}

/** What is selected inside an element, in characters of its text. */
function selectedIn(element: HTMLElement): Range | undefined {
  const selection = getSelection();
  if (!selection || selection.isCollapsed || selection.rangeCount === 0) return undefined;
  const range = selection.getRangeAt(0);
  if (!element.contains(range.startContainer) || !element.contains(range.endContainer)) return undefined;
  const before = document.createRange();
  before.selectNodeContents(element);
  before.setEnd(range.startContainer, range.startOffset);
  const prefix = before.toString();
  const from = charactersIn(prefix, prefix.length);
  const words = range.toString();
  return { from, to: from + charactersIn(words, words.length) };
}
