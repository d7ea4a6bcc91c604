import { dot, h, icon, iconButton } from './dom.ts';
import { conceptName, type Input, mediaPath, nameOf, stateOf, wordsOf } from './wire.ts';

export interface Item {
  readonly input: Input;
  /** 0..1; only where the pictures are ranked. */
  readonly score?: number;
}

export interface GridActions {
  open(id: string): void;
  findAlike(id: string): void;
  tryModel(id: string): void;
  remove(): void;
  selectionChanged(selected: readonly Input[]): void;
}

const labelsShown = 2;

/**
 * The pictures as tiles. Click selects one, Ctrl or Cmd adds, Shift takes a range, arrows move, Space selects,
 * Enter opens. On touch screens a tap selects. The tiles are buttons in a list: one stop of the Tab key.
 */
export function openGrid(actions: GridActions) {
  const list = h('ul', { class: 'grid', 'aria-label': 'Pictures' });
  const items = new Map<string, Item>();
  const tiles = new Map<string, HTMLLIElement>();
  const selected = new Set<string>();
  let anchor = '';
  let active = '';

  const order = () => [...list.children].map((tile) => (tile as HTMLElement).dataset['id'] ?? '');

  function changed(): void {
    for (const [id, tile] of tiles) {
      const isSelected = selected.has(id);
      tile.classList.toggle('selected', isSelected);
      tile.querySelector('.face')?.setAttribute('aria-pressed', String(isSelected));
    }
    actions.selectionChanged([...selected].flatMap((id) => items.get(id)?.input ?? []));
  }

  function activate(id: string, focus: boolean): void {
    tiles.get(active)?.querySelectorAll('button').forEach(unreach);
    active = id;
    const buttons = tiles.get(id)?.querySelectorAll('button');
    buttons?.forEach(reach);
    if (focus) buttons?.[0]?.focus();
  }

  function choose(id: string, way: 'only' | 'toggle' | 'range'): void {
    if (way === 'range' && anchor !== '') {
      const all = order();
      const [from, to] = [all.indexOf(anchor), all.indexOf(id)].sort((a, b) => a - b);
      for (const between of all.slice(from, (to ?? 0) + 1)) selected.add(between);
    } else {
      const isAlone = selected.size === 1 && selected.has(id);
      if (way === 'only') selected.clear();
      if (way === 'toggle' ? selected.has(id) : isAlone) selected.delete(id);
      else selected.add(id);
      anchor = id;
    }
    activate(id, false);
    changed();
  }

  function press(id: string, event: PointerEvent): void {
    if (event.shiftKey) choose(id, 'range');
    // A touch has no Ctrl key: every tap adds or takes away.
    else choose(id, event.ctrlKey || event.metaKey || event.pointerType === 'touch' ? 'toggle' : 'only');
  }

  list.addEventListener('keydown', (event) => {
    const id = (event.target as HTMLElement).closest<HTMLElement>('.tile')?.dataset['id'];
    if (id === undefined) return;
    const all = order();
    const to = moved(event.key, all.indexOf(id), all.length, columnsOf(list));
    const isFace = (event.target as HTMLElement).classList.contains('face');
    if (to !== undefined) {
      const target = all[to] ?? id;
      if (event.shiftKey) choose(target, 'range');
      activate(target, true);
    } else if (isFace && event.key === ' ') choose(id, 'toggle');
    else if (isFace && event.key === 'Enter') actions.open(id);
    else if (event.key === 'Delete' || event.key === 'Backspace') {
      if (selected.size === 0) choose(id, 'only');
      actions.remove();
    } else return;
    event.preventDefault();
  });

  function tileOf(item: Item): HTMLLIElement {
    const { input } = item;
    const { id } = input;
    const face = h('button', {
      type: 'button',
      class: 'face',
      'aria-pressed': selected.has(id),
      'aria-label': spoken(item),
      on: { click: (event: PointerEvent) => press(id, event), dblclick: () => actions.open(id) },
    });
    const picture = mediaPath(input.data?.image?.hosted, 'small');
    if (picture) {
      const image = h('img', {
        alt: '',
        loading: 'lazy',
        decoding: 'async',
        src: picture,
        draggable: 'false',
      });
      image.addEventListener('error', () => image.replaceWith(icon('picture')), { once: true });
      face.append(image);
    } else face.append(icon('picture'));
    const tile = h(
      'li',
      { class: `tile ${stateOf(input.status)}`, 'data-id': id },
      face,
      h('span', { class: 'mark', 'aria-hidden': 'true' }, icon('check')),
      stateBadge(item),
      labels(input),
      h(
        'div',
        { class: 'tile-actions' },
        iconButton('alike', `Search by this picture: ${nameOf(input)}`, () => actions.findAlike(id)),
        iconButton('try', `Try a model on ${nameOf(input)}`, () => actions.tryModel(id)),
      ),
    );
    tile.querySelectorAll('button').forEach(id === active ? reach : unreach);
    tile.classList.toggle('selected', selected.has(id));
    return tile;
  }

  return {
    element: list,
    get size() {
      return items.size;
    },
    get: (id: string) => items.get(id),
    /** Adds what is new at the end or the start, and shows anew what changed. */
    put(some: readonly Item[], where: 'end' | 'start' = 'end'): void {
      const fresh: HTMLLIElement[] = [];
      for (const item of some) {
        const old = tiles.get(item.input.id);
        const before = items.get(item.input.id);
        if (old && before && JSON.stringify(before.input) === JSON.stringify(item.input)) continue;
        items.set(item.input.id, before?.score === undefined ? item : { score: before.score, ...item });
        const hadFocus = old?.contains(document.activeElement) ?? false;
        const tile = tileOf(items.get(item.input.id) ?? item);
        tiles.set(item.input.id, tile);
        if (old) old.replaceWith(tile);
        else fresh.push(tile);
        if (hadFocus) tile.querySelector<HTMLElement>('.face')?.focus();
      }
      if (where === 'start') list.prepend(...fresh);
      else list.append(...fresh);
      if (!tiles.has(active)) activate(order()[0] ?? '', false);
      changed();
    },
    drop(ids: readonly string[]): void {
      const all = order();
      const hadFocus = list.contains(document.activeElement);
      const next =
        all.slice(all.indexOf(ids[0] ?? '')).find((id) => !ids.includes(id)) ??
        all.findLast((id) => !ids.includes(id));
      for (const id of ids) {
        tiles.get(id)?.remove();
        tiles.delete(id);
        items.delete(id);
        selected.delete(id);
      }
      if (!tiles.has(active)) activate(next ?? '', hadFocus);
      changed();
    },
    clear(): void {
      list.replaceChildren();
      for (const kept of [items, tiles, selected]) kept.clear();
      anchor = active = '';
      changed();
    },
    select(ids: readonly string[]): void {
      selected.clear();
      for (const id of ids) if (items.has(id)) selected.add(id);
      changed();
    },
    ids: () => order(),
    inputs: () => [...items.values()].map(({ input }) => input),
    selected: () => [...selected].flatMap((id) => items.get(id)?.input ?? []),
    focus: (id: string) => activate(id, true),
  };
}

export type Grid = ReturnType<typeof openGrid>;

const reach = (button: HTMLButtonElement) => {
  button.tabIndex = 0;
};
const unreach = (button: HTMLButtonElement) => {
  button.tabIndex = -1;
};

function columnsOf(list: HTMLElement): number {
  return getComputedStyle(list).gridTemplateColumns.split(' ').length;
}

/** Where a key leads from one of `size` tiles in rows of `columns`; nothing for keys that do not move. */
export function moved(key: string, from: number, size: number, columns: number): number | undefined {
  const steps: Readonly<Record<string, number>> = {
    ArrowRight: from + 1,
    ArrowLeft: from - 1,
    ArrowDown: from + columns,
    ArrowUp: from - columns,
    Home: 0,
    End: size - 1,
  };
  const to = steps[key];
  if (to === undefined) return undefined;
  return to < 0 || to >= size ? from : to;
}

function spoken({ input, score }: Item): string {
  const concepts = (input.data?.concepts ?? []).filter(({ value }) => (value ?? 0) > 0).map(conceptName);
  const parts = [nameOf(input), concepts.length > 0 ? `labelled ${concepts.join(', ')}` : 'no labels'];
  const state = stateOf(input.status);
  if (state === 'failed') parts.push(`failed: ${reasonOf(input)}`);
  else if (state !== 'ready') parts.push(state);
  if (score !== undefined) parts.push(`score ${score.toFixed(3)}`);
  return parts.join('; ');
}

export const reasonOf = ({ status }: Input): string =>
  wordsOf(status) || `status ${status?.code ?? 'unknown'}`;

function stateBadge({ input, score }: Item): HTMLElement | undefined {
  const state = stateOf(input.status);
  if (state === 'failed') {
    return h(
      'div',
      { class: 'tile-why', 'aria-hidden': 'true' },
      icon('warn'),
      h('span', {}, reasonOf(input)),
    );
  }
  if (state !== 'ready') return h('span', { class: 'badge state', 'aria-hidden': 'true' }, state);
  return score === undefined
    ? undefined
    : h('span', { class: 'badge score', 'aria-hidden': 'true' }, score.toFixed(3));
}

function labels({ data }: Input): HTMLElement | undefined {
  const concepts = (data?.concepts ?? []).filter(({ value }) => (value ?? 0) > 0);
  if (concepts.length === 0) return undefined;
  const more = concepts.length - labelsShown;
  return h(
    'div',
    { class: 'tile-labels', 'aria-hidden': 'true' },
    concepts
      .slice(0, labelsShown)
      .map((concept) => h('span', { class: 'label' }, dot(concept.id), conceptName(concept))),
    more > 0 && h('span', { class: 'label' }, `+${more}`),
  );
}
