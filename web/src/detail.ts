import { conceptInput } from './concept-input.ts';
import { dot, fill, h, icon, iconButton } from './dom.ts';
import { reasonOf } from './grid.ts';
import { copy } from './notices.ts';
import { chip } from './search-box.ts';
import { type Concept, conceptName, type Input, mediaPath, nameOf, stateOf } from './wire.ts';

export interface DetailActions {
  /** The input now, and its neighbours in the order shown. */
  find(id: string): { input: Input | undefined; before: string | undefined; after: string | undefined };
  label(id: string, words: string): Promise<unknown>;
  unlabel(id: string, concept: Concept): Promise<unknown>;
  findAlike(id: string): void;
  tryModel(id: string): void;
  remove(id: string): Promise<boolean>;
  closed(id: string): void;
}

/** One picture, large, with its labels and what can be done with it. Arrows lead to the neighbours. */
export function openDetail(first: string, actions: DetailActions): void {
  let id = first;
  const title = h('h2', { id: 'detail-title' });
  const picture = h('div', { class: 'stage' });
  const facts = h('div', { class: 'facts' });
  const before = iconButton('left', 'Previous picture', () => step('before'));
  const after = iconButton('right', 'Next picture', () => step('after'));
  const dialog: HTMLDialogElement = h(
    'dialog',
    { class: 'detail', 'aria-labelledby': 'detail-title' },
    h(
      'header',
      { class: 'row' },
      before,
      after,
      title,
      h('span', { class: 'grow' }),
      iconButton('close', 'Close', () => dialog.close()),
    ),
    h('div', { class: 'detail-body' }, picture, facts),
  );
  dialog.addEventListener('keydown', (event) => {
    if (event.target instanceof HTMLInputElement) return;
    if (event.key === 'ArrowLeft') step('before');
    if (event.key === 'ArrowRight') step('after');
  });
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener('close', () => {
    dialog.remove();
    actions.closed(id);
  });

  function step(way: 'before' | 'after'): void {
    const to = actions.find(id)[way];
    if (to === undefined) return;
    id = to;
    show();
  }

  function show(): void {
    const { input, before: left, after: right } = actions.find(id);
    if (!input) {
      dialog.close();
      return;
    }
    before.disabled = left === undefined;
    after.disabled = right === undefined;
    title.textContent = nameOf(input);
    const large = mediaPath(input.data?.image?.hosted, 'large');
    fill(picture, large ? h('img', { src: large, alt: nameOf(input) }) : icon('picture'));
    fill(facts, labelEditor(input), factsOf(input), buttons());
  }

  function labelEditor({ data }: Input): HTMLElement {
    const field = conceptInput({
      label: 'Label this picture',
      hint: 'Label…',
      offerNew: (words) => `New concept “${words}”`,
      take: async (words) => {
        await actions.label(id, words);
        show();
        facts.querySelector('input')?.focus();
      },
    });
    const concepts = (data?.concepts ?? []).filter(({ value }) => (value ?? 0) > 0);
    return h(
      'div',
      {},
      h('h3', {}, 'Labels'),
      h(
        'div',
        { class: 'chips' },
        concepts.map((concept) =>
          chip(
            [dot(concept.id), conceptName(concept)],
            conceptName(concept),
            async () => {
              await actions.unlabel(id, concept);
              show();
            },
            'Take away',
          ),
        ),
        concepts.length === 0 && h('span', { class: 'quiet' }, 'None yet'),
      ),
      field.element,
    );
  }

  function buttons(): HTMLElement {
    const leave = (then: () => void) => () => {
      dialog.close();
      then();
    };
    return h(
      'div',
      { class: 'stack' },
      h(
        'button',
        { type: 'button', on: { click: leave(() => actions.findAlike(id)) } },
        icon('alike'),
        'Find alike',
      ),
      h(
        'button',
        { type: 'button', on: { click: leave(() => actions.tryModel(id)) } },
        icon('try'),
        'Try a model',
      ),
      h(
        'button',
        {
          type: 'button',
          class: 'danger-text',
          on: {
            click: async () => {
              const { before: left, after: right } = actions.find(id);
              if (!(await actions.remove(id))) return;
              const next = right ?? left;
              if (next === undefined) return dialog.close();
              id = next;
              show();
            },
          },
        },
        icon('trash'),
        'Delete',
      ),
    );
  }

  document.body.append(dialog);
  dialog.showModal();
  show();
}

function factsOf(input: Input): HTMLElement {
  const { width, height } = input.data?.image?.image_info ?? {};
  const state = stateOf(input.status);
  const fact = (name: string, value: string | Node) => [h('dt', {}, name), h('dd', {}, value)];
  return h(
    'dl',
    {},
    fact(
      'Status',
      state === 'failed' ? `Failed. ${reasonOf(input)}` : state === 'ready' ? 'Ready' : `${state}…`,
    ),
    width && height ? fact('Size', `${width} × ${height}`) : [],
    input.created_at ? fact('Added', new Date(input.created_at).toLocaleString()) : [],
    fact(
      'Id',
      h(
        'span',
        { class: 'request-id' },
        h('code', {}, input.id),
        iconButton('copy', 'Copy the id', () => copy(input.id)),
      ),
    ),
  );
}
