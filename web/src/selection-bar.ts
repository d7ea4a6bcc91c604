import { conceptInput } from './concept-input.ts';
import { count, dot, fill, h, icon, iconButton } from './dom.ts';
import { chip } from './search-box.ts';
import { type Concept, conceptName, type Input } from './wire.ts';

export interface SelectionActions {
  label(words: string): void;
  unlabel(concept: Concept): void;
  findAlike(id: string): void;
  tryModel(id: string): void;
  open(id: string): void;
  remove(): void;
  clear(): void;
}

const chipsMax = 6;

/** What can be done with the selected pictures; there while some are. */
export function openSelectionBar(actions: SelectionActions) {
  const field = conceptInput({
    label: 'Label the selected pictures',
    hint: 'Label…',
    offerNew: (words) => `New concept “${words}”`,
    take: actions.label,
  });
  const words = h('strong', { role: 'status' });
  const chips = h('div', { class: 'chips' });
  const single = h('div', { class: 'row tight' });
  const element = h(
    'section',
    { class: 'selection', 'aria-label': 'Selected pictures', hidden: true },
    words,
    field.element,
    chips,
    h('span', { class: 'grow' }),
    single,
    h(
      'button',
      { type: 'button', class: 'ghost danger-text', on: { click: actions.remove } },
      icon('trash'),
      'Delete',
    ),
    iconButton('close', 'Clear the selection', actions.clear),
  );
  field.input.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') field.input.blur();
  });
  return {
    element,
    input: field.input,
    show(selected: readonly Input[]): void {
      element.hidden = selected.length === 0;
      const text = count(selected.length, 'picture');
      if (words.textContent !== text) words.textContent = text;
      const labels = labelsOf(selected);
      fill(
        chips,
        labels
          .slice(0, chipsMax)
          .map(({ concept, times }) =>
            chip(
              [
                dot(concept.id),
                times === selected.length ? conceptName(concept) : `${conceptName(concept)} ${times}`,
              ],
              conceptName(concept),
              () => actions.unlabel(concept),
              'Take away',
            ),
          ),
        labels.length > chipsMax && h('span', { class: 'quiet' }, `+${labels.length - chipsMax}`),
      );
      const [only] = selected.length === 1 ? selected : [];
      fill(
        single,
        only && [
          h(
            'button',
            { type: 'button', class: 'ghost', on: { click: () => actions.open(only.id) } },
            icon('picture'),
            'Open',
          ),
          h(
            'button',
            { type: 'button', class: 'ghost', on: { click: () => actions.findAlike(only.id) } },
            icon('alike'),
            'Find alike',
          ),
          h(
            'button',
            { type: 'button', class: 'ghost', on: { click: () => actions.tryModel(only.id) } },
            icon('try'),
            'Try a model',
          ),
        ],
      );
    },
  };
}

/** Labels that any of the pictures has, the most frequent first. */
function labelsOf(selected: readonly Input[]): { concept: Concept; times: number }[] {
  const found = new Map<string, { concept: Concept; times: number }>();
  for (const { data } of selected) {
    for (const concept of data?.concepts ?? []) {
      if ((concept.value ?? 0) <= 0) continue;
      const times = (found.get(concept.id)?.times ?? 0) + 1;
      found.set(concept.id, { concept, times });
    }
  }
  return [...found.values()].sort((a, b) => b.times - a.times);
}
