import { asTrouble, call, inApp, wasAborted } from './api.ts';
import { conceptsNow, findConcept, loadConcepts } from './concepts.ts';
import { openDetail } from './detail.ts';
import { byLocale, count, dot, fill, h, icon } from './dom.ts';
import { choose, type Picked } from './files.ts';
import {
  type Counts,
  countInputs,
  findPictures,
  isSearch,
  pageSize,
  type Query,
  readInputs,
} from './find-pictures.ts';
import { openGrid } from './grid.ts';
import { label, unlabel } from './labels.ts';
import { confirmed, emptyState, tell, tellTrouble, troubleCard } from './notices.ts';
import { go, type Place, readPlace } from './place.ts';
import { openSearchBox } from './search-box.ts';
import { openSelectionBar } from './selection-bar.ts';
import { type Input, mediaPath, stateOf } from './wire.ts';

const pollMs = 1500;
const deletedAtOnce = 100;

/** The app's pictures: find, look, label, delete. */
export function openPictures(parts: { upload: (picked: Picked[]) => unknown }) {
  const grid = openGrid({
    open: (id) => open(id),
    findAlike: (id) => findAlike(id),
    tryModel: (id) => go({ view: 'try', input: id }),
    remove: () => void remove(grid.selected().map(({ id }) => id)),
    selectionChanged: (selected) => bar.show(selected),
  });
  const box = openSearchBox({
    addConcept: (words) =>
      go({ concepts: [...new Set([...readPlace().concepts, findConcept(words)?.name ?? words])] }),
    removeConcept: (words) => go({ concepts: readPlace().concepts.filter((name) => name !== words) }),
    searchByPicture: (file) => searchFor(file, { like: '' }),
    removePicture: () => searchFor(undefined, { like: '' }),
    clear: () => clearSearch(),
  });
  const bar = openSelectionBar({
    label: (words) => label(grid.selected(), words, changed),
    unlabel: (concept) => {
      const having = grid
        .selected()
        .filter(({ data }) => data?.concepts?.some(({ id }) => id === concept.id));
      void unlabel(
        having.map(({ id }) => id),
        { id: concept.id, name: concept.name || concept.id },
        changed,
      );
    },
    findAlike: (id) => findAlike(id),
    tryModel: (id) => go({ view: 'try', input: id }),
    open: (id) => open(id),
    remove: () => void remove(grid.selected().map(({ id }) => id)),
    clear: () => grid.select([]),
  });
  const line = h('p', { class: 'line', role: 'status' });
  const selectAll = h(
    'button',
    { type: 'button', class: 'ghost', on: { click: () => grid.select(grid.ids()) } },
    'Select all shown',
  );
  const after = h('div', { class: 'after' });
  const sentinel = h('div', { class: 'sentinel', 'aria-hidden': 'true' });
  const facets = h('aside', { class: 'facets', 'aria-label': 'Concepts' });
  const addFiles = async () => parts.upload(await choose({ many: true }));
  const addFolder = async () => parts.upload(await choose({ folder: true }));
  const element = h(
    'div',
    { class: 'pictures' },
    h('h1', { class: 'unseen' }, 'Pictures'),
    facets,
    h(
      'section',
      { class: 'results', 'aria-label': 'Results' },
      h(
        'div',
        { class: 'toolbar' },
        box.element,
        h(
          'button',
          { type: 'button', class: 'primary', on: { click: addFiles } },
          icon('plus'),
          'Add pictures',
        ),
        h('button', { type: 'button', on: { click: addFolder } }, icon('folder'), 'Add a folder'),
      ),
      h('div', { class: 'row' }, line, h('span', { class: 'grow' }), selectAll),
      grid.element,
      after,
      sentinel,
      bar.element,
    ),
  );

  let picture: File | undefined;
  let shownKey = '';
  let page = 0;
  let isComplete = false;
  let counts: Counts = {};
  let aborter = new AbortController();
  let isLoading = false;

  const query = (): Query => {
    const { concepts, like } = readPlace();
    const named = concepts.map((name) => {
      const known = findConcept(name);
      return known ? { id: known.id } : { name };
    });
    return { concepts: named, like: picture ? '' : like, ...(picture ? { picture } : {}) };
  };

  /** A picture of this computer cannot stand in the address, so what is shown is forgotten by hand. */
  function searchFor(file: File | undefined, change: Partial<Place>): void {
    picture = file;
    shownKey = '';
    go({ view: 'pictures', ...change });
  }

  function findAlike(id: string): void {
    searchFor(undefined, { like: id });
    window.scrollTo({ top: 0 });
  }

  const clearSearch = () => searchFor(undefined, { concepts: [], like: '' });

  /** Starts over where what is searched for changed. */
  function show(place: Place): void {
    if (place.like !== '') picture = undefined;
    const key = JSON.stringify([place.app, place.concepts, place.like]);
    if (key !== shownKey) {
      shownKey = key;
      restart();
    }
  }

  function restart(): void {
    aborter.abort();
    aborter = new AbortController();
    isLoading = false;
    page = 0;
    isComplete = false;
    grid.clear();
    fill(after);
    void showChips();
    void more();
    void refreshCounts();
  }

  async function showChips(): Promise<void> {
    const { concepts, like } = readPlace();
    const asked = query();
    let thumbnail = picture ? URL.createObjectURL(picture) : undefined;
    if (!picture && like !== '') {
      const known = grid.get(like)?.input ?? (await readInputs([like]).catch(() => []))[0];
      thumbnail = mediaPath(known?.data?.image?.hosted, 'tiny');
    }
    box.show(concepts, asked, thumbnail);
  }

  async function more(): Promise<void> {
    if (isLoading || isComplete) return;
    isLoading = true;
    const { signal } = aborter;
    grid.element.setAttribute('aria-busy', 'true');
    if (page === 0) fill(after, h('p', { class: 'quiet center' }, 'Loading…'));
    try {
      if (readPlace().concepts.length > 0 && conceptsNow().length === 0) await loadConcepts();
      const found = await findPictures(query(), page + 1, { signal, quiet: page > 0 });
      if (signal.aborted) return;
      page++;
      isComplete = found.length < pageSize;
      grid.put(found);
      fill(after, grid.size === 0 && nothing());
      showLine();
      isLoading = false;
      if (!isComplete && isNear(sentinel)) void more();
    } catch (thrown) {
      if (wasAborted(thrown) || signal.aborted) return;
      isLoading = false;
      isComplete = true;
      fill(after, troubleCard(asTrouble(thrown), restart));
      showLine();
      line.hidden = grid.size === 0;
    } finally {
      if (!signal.aborted) grid.element.removeAttribute('aria-busy');
    }
  }

  function showLine(): void {
    selectAll.hidden = grid.size === 0;
    line.hidden = grid.size === 0 && !isSearch(query());
    if (isSearch(query())) {
      line.textContent = isComplete
        ? `${count(grid.size, 'picture')} found`
        : `At least ${byLocale.format(grid.size)} pictures found`;
      return;
    }
    const { processed = 0, to_process: waiting = 0, processing = 0, errors = 0 } = counts;
    const words = [
      count(Number(processed) + Number(waiting) + Number(processing) + Number(errors), 'picture'),
    ];
    const open = Number(waiting) + Number(processing);
    if (open > 0) words.push(`${byLocale.format(open)} being processed`);
    if (Number(errors) > 0) words.push(`${byLocale.format(Number(errors))} failed`);
    line.textContent = words.join(' · ');
  }

  function nothing(): HTMLElement {
    const { concepts } = readPlace();
    if (isSearch(query())) {
      const named = concepts.map((name) => `“${name}”`).join(' and ');
      const words =
        concepts.length > 0
          ? `No picture here is labelled ${named}.`
          : 'There is nothing to compare with yet: pictures become searchable once they are processed.';
      const action = h(
        'button',
        { type: 'button', class: 'primary', on: { click: clearSearch } },
        'Clear the search',
      );
      return emptyState({ title: 'Nothing found', words, action });
    }
    return emptyState({
      title: 'No pictures yet',
      words:
        'Drop pictures or folders anywhere on this page. Each is checked, stored and made searchable; folder names can become labels.',
      action: h(
        'button',
        { type: 'button', class: 'primary', on: { click: addFiles } },
        icon('plus'),
        'Add pictures',
      ),
      more: h(
        'p',
        {},
        h('button', { type: 'button', class: 'link', on: { click: addFolder } }, 'Add a folder'),
        ' · ',
        h('a', { href: '/docs#PostInputs' }, 'Upload with the API'),
      ),
    });
  }

  /** Shows changed inputs; a patched one comes back with the status of the patch, not its own. */
  function changed(inputs: readonly Input[]): void {
    grid.put(
      inputs.flatMap((input) => {
        const before = grid.get(input.id);
        return before
          ? [{ ...before, input: { ...before.input, data: input.data ?? before.input.data ?? {} } }]
          : [];
      }),
    );
  }

  function open(id: string): void {
    openDetail(id, {
      find: (of) => {
        const all = grid.ids();
        const at = all.indexOf(of);
        return { input: grid.get(of)?.input, before: all[at - 1], after: at < 0 ? undefined : all[at + 1] };
      },
      label: (of, words) =>
        label(
          grid.inputs().filter((input) => input.id === of),
          words,
          changed,
        ),
      unlabel: (of, concept) => unlabel([of], { id: concept.id, name: concept.name || concept.id }, changed),
      findAlike,
      tryModel: (of) => go({ view: 'try', input: of }),
      remove: (of) => remove([of]),
      closed: (of) => grid.focus(of),
    });
  }

  async function remove(ids: readonly string[]): Promise<boolean> {
    if (ids.length === 0) return false;
    const words = `${count(ids.length, 'picture')} with all labels will be deleted from this app. This cannot be undone.`;
    if (!(await confirmed(`Delete ${count(ids.length, 'picture')}?`, words, 'Delete'))) return false;
    try {
      for (let from = 0; from < ids.length; from += deletedAtOnce) {
        const some = ids.slice(from, from + deletedAtOnce);
        await call('DELETE', inApp('inputs'), { ids: some }, { what: 'The pictures could not be deleted.' });
        grid.drop(some);
      }
      tell(`${count(ids.length, 'picture')} deleted.`);
      if (grid.size === 0) restart();
      else void refreshCounts();
      await loadConcepts();
      return true;
    } catch (thrown) {
      tellTrouble(thrown);
      return false;
    }
  }

  async function refreshCounts(): Promise<void> {
    try {
      counts = await countInputs();
      showLine();
    } catch {
      // The list itself tells when the server is away; the counts come with the next refresh.
    }
  }

  /** New uploads appear at the front, unless somebody is searching. */
  async function refresh(): Promise<void> {
    if (!isSearch(query()) && page > 0) {
      const found = await findPictures(query(), 1, { signal: aborter.signal, quiet: true }).catch(() => []);
      if (isSearch(query())) return;
      grid.put(found, 'start');
      if (grid.size > 0) fill(after);
    }
    await refreshCounts();
  }

  function showFacets(): void {
    const asked = readPlace().concepts;
    const concepts = conceptsNow();
    const facet = ({ id, name, positive }: (typeof concepts)[number]) => {
      const isOn = asked.includes(name);
      const press = () => go({ concepts: isOn ? asked.filter((other) => other !== name) : [...asked, name] });
      return h(
        'li',
        {},
        h(
          'button',
          { type: 'button', class: 'facet', 'aria-pressed': isOn, on: { click: press } },
          dot(id),
          h('span', { class: 'grow cut' }, name),
          h('span', { class: 'quiet' }, byLocale.format(positive)),
        ),
      );
    };
    fill(
      facets,
      h('h2', {}, 'Concepts'),
      concepts.length === 0
        ? h('p', { class: 'quiet' }, 'Select pictures and label them; the concepts appear here.')
        : h('ul', { class: 'plain' }, concepts.slice(0, 200).map(facet)),
    );
  }

  async function follow(): Promise<void> {
    const open = grid.inputs().filter(({ status }) => ['pending', 'processing'].includes(stateOf(status)));
    if (open.length === 0 || !element.isConnected || document.hidden) return;
    const inputs = await readInputs(open.map(({ id }) => id)).catch(() => undefined);
    if (!inputs) return;
    grid.put(inputs.map((input) => ({ input })));
    const found = new Set(inputs.map(({ id }) => id));
    grid.drop(open.slice(0, 128).flatMap(({ id }) => (found.has(id) ? [] : [id])));
    await refreshCounts();
  }

  new IntersectionObserver(([seen]) => seen?.isIntersecting && page > 0 && void more(), {
    rootMargin: '900px',
  }).observe(sentinel);
  window.setInterval(() => void follow(), pollMs);
  window.addEventListener('inputs', () => element.isConnected && void refresh());
  for (const event of ['concepts', 'place']) window.addEventListener(event, showFacets);
  element.addEventListener('keydown', (event) => {
    if (event.target instanceof HTMLInputElement) return;
    if ((event.ctrlKey || event.metaKey) && event.key === 'a') {
      grid.select(grid.ids());
      event.preventDefault();
    }
  });

  return {
    element,
    show,
    /** Keys that work wherever the focus is, outside fields and dialogs. */
    key(key: string): boolean {
      if (key === '/') box.input.focus();
      else if (key === 'l' && grid.selected().length > 0) bar.input.focus();
      else if (key === 'Escape' && grid.selected().length > 0) grid.select([]);
      else return false;
      return true;
    },
    pasted: (file: File) => searchFor(file, { like: '' }),
  };
}

const isNear = (element: HTMLElement): boolean =>
  element.getBoundingClientRect().top < window.innerHeight + 900;
