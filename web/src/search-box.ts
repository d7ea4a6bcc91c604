import { conceptInput } from './concept-input.ts';
import { findConcept } from './concepts.ts';
import { dot, fill, h, icon, iconButton } from './dom.ts';
import { choose, isPicture, pictureIn } from './files.ts';
import type { Query } from './find-pictures.ts';
import { tell } from './notices.ts';

export interface SearchActions {
  addConcept(words: string): void;
  removeConcept(words: string): void;
  searchByPicture(picture: File): void;
  removePicture(): void;
  clear(): void;
}

/** One box: type a concept, or drop, paste or choose a picture. What is searched for stands in it as chips. */
export function openSearchBox(actions: SearchActions) {
  const field = conceptInput({
    label: 'Search by concept',
    hint: 'Type a concept, or drop a picture here',
    take: actions.addConcept,
  });
  const chips = h('div', { class: 'chips' });
  const usePicture = (file: File | undefined) => {
    if (file && isPicture(file)) actions.searchByPicture(file);
    else tell('That is not a picture. JPEG, PNG, WebP, GIF, BMP and TIFF can be searched by.');
  };
  const camera = iconButton('picture', 'Search by a picture from this computer', async () => {
    const [picked] = await choose();
    if (picked) usePicture(picked.file);
  });
  const clear = iconButton('close', 'Clear the search', () => actions.clear());
  clear.hidden = true;
  const element = h(
    'div',
    { class: 'search', role: 'search' },
    icon('search'),
    chips,
    field.element,
    camera,
    clear,
  );

  element.addEventListener('dragover', (event) => {
    event.preventDefault();
    element.classList.add('target');
  });
  element.addEventListener('dragleave', () => element.classList.remove('target'));
  element.addEventListener('drop', (event) => {
    element.classList.remove('target');
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    usePicture(pictureIn(event.dataTransfer));
  });
  field.input.addEventListener('paste', (event) => {
    const picture = pictureIn(event.clipboardData);
    if (!picture) return;
    event.preventDefault();
    usePicture(picture);
  });
  field.input.addEventListener('keydown', (event) => {
    if (event.key === 'Backspace' && field.input.value === '') {
      const last = chips.querySelector<HTMLButtonElement>('.chip:last-child button');
      last?.click();
    }
  });

  let shownPicture = '';
  return {
    element,
    input: field.input,
    /** Shows what is searched for; `thumbnail` is the address of the picture where one is. */
    show(words: readonly string[], query: Query, thumbnail: string | undefined): void {
      if (shownPicture !== '' && shownPicture !== thumbnail) URL.revokeObjectURL(shownPicture);
      shownPicture = thumbnail?.startsWith('blob:') ? thumbnail : '';
      const hasPicture = query.picture !== undefined || query.like !== '';
      fill(
        chips,
        hasPicture &&
          chip(
            [thumbnail ? h('img', { src: thumbnail, alt: '' }) : icon('picture'), 'like this'],
            'the picture',
            actions.removePicture,
          ),
        words.map((name) =>
          chip([dot(findConcept(name)?.id ?? name), name], name, () => actions.removeConcept(name)),
        ),
      );
      const isEmpty = !hasPicture && words.length === 0;
      clear.hidden = isEmpty;
      field.input.placeholder = isEmpty ? 'Type a concept, or drop a picture here' : 'and…';
    },
  };
}

export type SearchBox = ReturnType<typeof openSearchBox>;

export function chip(
  content: (Node | string)[],
  name: string,
  remove: () => unknown,
  verb = 'Remove',
): HTMLElement {
  return h(
    'span',
    { class: 'chip' },
    content,
    h(
      'button',
      { type: 'button', 'aria-label': `${verb} ${name}`, title: `${verb} ${name}`, on: { click: remove } },
      icon('close'),
    ),
  );
}
