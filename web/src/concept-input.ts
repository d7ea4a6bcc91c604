import { type CountedConcept, conceptsNow } from './concepts.ts';
import { dot, fill, h } from './dom.ts';

const optionsMax = 8;
let serial = 0;

/**
 * A text field that offers the app's concepts while somebody types (a combobox as WAI-ARIA describes it).
 * `take` gets what was chosen; `offerNew` also offers words that name no concept yet.
 */
export function conceptInput(parts: {
  label: string;
  hint: string;
  offerNew?: (words: string) => string;
  take: (words: string) => unknown;
}) {
  const listId = `concepts-${++serial}`;
  const list = h('ul', {
    id: listId,
    class: 'options',
    role: 'listbox',
    'aria-label': 'Concepts',
    hidden: true,
  });
  const input = h('input', {
    type: 'text',
    role: 'combobox',
    'aria-label': parts.label,
    'aria-autocomplete': 'list',
    'aria-expanded': 'false',
    'aria-controls': listId,
    placeholder: parts.hint,
    autocomplete: 'off',
    spellcheck: 'false',
    maxlength: '100',
  });
  const element = h('div', { class: 'combobox' }, input, list);
  let offers: { words: string; row: HTMLElement }[] = [];
  let at = -1;

  function show(): void {
    offers = offersFor(input.value).map((offer, i) => ({ words: offer.words, row: option(offer, i) }));
    fill(
      list,
      offers.map(({ row }) => row),
    );
    mark(firstMark());
    const isShown = offers.length > 0 && document.activeElement === input;
    list.hidden = !isShown;
    input.setAttribute('aria-expanded', String(isShown));
  }

  /** Enter takes what begins with the words; "shirt" must not become "t-shirt" where both are possible. */
  function firstMark(): number {
    const words = input.value.trim().toLocaleLowerCase();
    if (words === '') return -1;
    const begins = offers.findIndex((offer) => offer.words.toLocaleLowerCase().startsWith(words));
    return Math.max(0, begins);
  }

  function offersFor(words: string): { words: string; concept?: CountedConcept }[] {
    const found = matches(words).map((concept) => ({ words: concept.name, concept }));
    const asTyped = words.trim();
    const isKnown = found.some(
      ({ concept }) => concept.name.toLocaleLowerCase() === asTyped.toLocaleLowerCase(),
    );
    return parts.offerNew && asTyped !== '' && !isKnown ? [...found, { words: asTyped }] : found;
  }

  function option(offer: { words: string; concept?: CountedConcept }, i: number): HTMLElement {
    const row = h(
      'li',
      { id: `${listId}-${i}`, role: 'option', 'aria-selected': 'false' },
      offer.concept && dot(offer.concept.id),
      h(
        'span',
        { class: 'grow' },
        offer.concept ? offer.words : (parts.offerNew?.(offer.words) ?? offer.words),
      ),
      offer.concept && h('span', { class: 'quiet' }, offer.concept.positive),
    );
    // Before the field loses the focus, which would hide the list.
    row.addEventListener('mousedown', (event) => {
      event.preventDefault();
      take(offer.words);
    });
    return row;
  }

  function mark(index: number): void {
    at = index;
    for (const [i, { row }] of offers.entries()) row.setAttribute('aria-selected', String(i === at));
    offers[at]?.row.scrollIntoView({ block: 'nearest' });
    if (offers[at]) input.setAttribute('aria-activedescendant', `${listId}-${at}`);
    else input.removeAttribute('aria-activedescendant');
  }

  function hide(): void {
    list.hidden = true;
    input.setAttribute('aria-expanded', 'false');
  }

  function take(words: string): void {
    if (words.trim() === '') return;
    input.value = '';
    hide();
    parts.take(words.trim());
  }

  input.addEventListener('input', show);
  input.addEventListener('focus', show);
  input.addEventListener('blur', hide);
  input.addEventListener('keydown', (event) => {
    if (event.isComposing) return;
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      if (list.hidden) show();
      const step = event.key === 'ArrowDown' ? 1 : -1;
      if (offers.length > 0) mark((at + step + offers.length) % offers.length);
      event.preventDefault();
    } else if (event.key === 'Enter') {
      event.preventDefault();
      take(exact(input.value) ?? offers[at]?.words ?? input.value);
    } else if (event.key === 'Escape' && !list.hidden) {
      hide();
      event.stopPropagation();
    }
  });
  return { element, input };
}

/** Concepts whose name or id holds the words; those that begin with them first. */
function matches(words: string): CountedConcept[] {
  const wanted = words.trim().toLocaleLowerCase();
  const place = ({ name, id }: CountedConcept) => {
    const found = name.toLocaleLowerCase().indexOf(wanted);
    return found >= 0 ? found : id.toLocaleLowerCase().indexOf(wanted);
  };
  return conceptsNow()
    .map((concept) => ({ concept, at: place(concept) }))
    .filter(({ at }) => at >= 0)
    .sort((a, b) => Math.min(a.at, 1) - Math.min(b.at, 1))
    .slice(0, optionsMax)
    .map(({ concept }) => concept);
}

/** What was typed names a concept as it is, so the first offer must not win over it. */
function exact(words: string): string | undefined {
  const wanted = words.trim().toLocaleLowerCase();
  return conceptsNow().find(({ name }) => name.toLocaleLowerCase() === wanted)?.name;
}
