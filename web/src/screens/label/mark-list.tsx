import { useTranslation } from 'react-i18next';
import type { Editor } from '../../canvas/editor.ts';
import type { Mark } from '../../canvas/shapes.ts';
import { IconButton } from '../../ui/button.tsx';
import { Swatch } from './object-list.tsx';

/** Labelled stretches in words; a press leads to where one begins. */
export function MarkList({
  editor,
  marks,
  title,
  said,
  goTo,
}: {
  editor: Editor;
  marks: readonly Mark[];
  title: string;
  said: (mark: Mark) => string;
  goTo: (mark: Mark) => void;
}) {
  const { t } = useTranslation();
  if (marks.length === 0) return null;
  const remove = (id: string) =>
    editor.setMarks((editor.snapshot().drawing.marks ?? []).filter((mark) => mark.id !== id));
  return (
    <section>
      <h2>{title}</h2>
      <ul className="plain object-list mark-list" aria-label={title}>
        {marks.map((mark) => (
          <li key={mark.id}>
            <button type="button" className="button ghost small" onClick={() => goTo(mark)}>
              <Swatch id={mark.concept.id} />
              <span className="grow">{mark.concept.name}</span>
              <span className="quiet small">{said(mark)}</span>
            </button>
            <IconButton icon="trash" label={t('marks.remove')} onPress={() => remove(mark.id)} />
          </li>
        ))}
      </ul>
    </section>
  );
}
