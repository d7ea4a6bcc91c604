import type { Input } from '@fovea/contract/rest';
import {
  type KeyboardEvent,
  type MouseEvent,
  memo,
  type Ref,
  useCallback,
  useEffect,
  useImperativeHandle,
  useLayoutEffect,
  useMemo,
  useReducer,
  useRef,
  useState,
} from 'react';
import { useTranslation } from 'react-i18next';
import { aspectOf, conceptName, kindOf, labelsOf, nameOf, picturePath, stateOf } from '../api/media.ts';
import { formatNumber } from '../i18n/format.ts';
import { Icon } from '../ui/icon.tsx';
import { TroubleNote } from '../ui/states.tsx';
import { clampAspect, guessedHeight, heightOfRows, layRows, PageHeights, type RowPlace } from './layout.ts';
import { Overlay } from './overlay.tsx';
import { type Item, Pages, pageSize, type Source } from './source.ts';
import { TextTile } from './text-start.tsx';

/** Browsers end an element at some 33 million pixels; past this a pixel of the scroll bar is more than one of the grid. */
const scrollHeightMax = 12_000_000;
const gap = 6;
/** Faster than this, in pixels of the grid a millisecond, nobody looks at single pictures. */
const lookingSpeedMax = 2;
const stillAfterMs = 120;

export interface GridHandle {
  refresh(): void;
  replace(inputs: readonly Input[]): void;
  focus(): void;
}

/**
 * A justified grid over any number of inputs. Only rows in view are in the document; pages are fetched as they are
 * scrolled to, and the scroll bar always stands for the whole.
 */
export function Grid({
  source,
  total,
  rowHeight,
  selected,
  going,
  overlay,
  onOpen,
  onSelect,
  onPreview,
  ref,
}: {
  source: Source;
  total: number;
  rowHeight: number;
  selected: ReadonlySet<string>;
  /** On their way out: shown as such. */
  going: ReadonlySet<string>;
  overlay: boolean;
  onOpen: (item: Item, index: number) => void;
  onSelect: (item: Item, index: number, how: 'toggle' | 'range') => void;
  onPreview: (item: Item, index: number) => void;
  ref?: Ref<GridHandle>;
}) {
  const { t } = useTranslation();
  const scroller = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  const [virtualTop, setVirtualTop] = useState(0);
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const [active, setActive] = useState(0);
  const [isStill, moved] = useStillness();
  const pages = useMemo(() => new Pages(source, redraw), [source]);
  useEffect(() => () => pages.close(), [pages]);

  const pageCount = Math.ceil(total / pageSize);
  const countOf = useCallback((page: number) => Math.min(pageSize, total - page * pageSize), [total]);
  const rules = useMemo(() => ({ width: size.width, rowHeight, gap }), [size.width, rowHeight]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another source has other pictures, so other heights
  const heights = useMemo(
    () => new PageHeights(pageCount, (page) => guessedHeight(countOf(page), rules)),
    [pageCount, countOf, rules, source],
  );
  const rowsOf = useMemo(() => {
    const laid = new Map<readonly Item[], RowPlace[]>();
    return (page: number): RowPlace[] | undefined => {
      const items = pages.get(page);
      if (!items) return undefined;
      let rows = laid.get(items);
      if (!rows) {
        rows = layRows(
          items.map(({ input }) => aspectOf(input.data)),
          rules,
          page === pageCount - 1,
        );
        laid.set(items, rows);
      }
      return rows;
    };
  }, [pages, rules, pageCount]);

  useLayoutEffect(() => {
    const element = scroller.current as HTMLDivElement;
    const measure = () => setSize({ width: element.clientWidth, height: element.clientHeight });
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  // Pages that turn out higher or lower than guessed move those after them; what is in view stays where it is.
  const firstPage = size.width === 0 ? 0 : heights.pageAt(virtualTop);
  const lastPage = size.width === 0 ? 0 : heights.pageAt(virtualTop + size.height + rowHeight);
  const inView = useMemo(
    () =>
      size.width === 0 || total === 0
        ? []
        : Array.from({ length: lastPage - firstPage + 1 }, (_, i) => firstPage + i),
    [firstPage, lastPage, size.width, total],
  );
  let shift = 0;
  for (const page of inView) {
    const rows = rowsOf(page);
    if (!rows) continue;
    const moved = heights.set(page, heightOfRows(rows, gap));
    if (page < heights.pageAt(virtualTop)) shift += moved;
  }
  const whole = heights.total;
  const scrollHeight = Math.min(whole, scrollHeightMax);
  const scale =
    whole > scrollHeight && size.height > 0 ? (whole - size.height) / (scrollHeight - size.height) : 1;
  useLayoutEffect(() => {
    const element = scroller.current as HTMLDivElement;
    if (shift !== 0) element.scrollTop += shift / scale;
  }, [shift, scale]);
  useEffect(() => {
    const timer = setTimeout(() => pages.want(inView), 40);
    return () => clearTimeout(timer);
  }, [pages, inView]);

  useImperativeHandle(ref, () => ({
    refresh: () => pages.refresh(inView),
    replace: (inputs) => pages.replace(inputs),
    focus: () => scroller.current?.querySelector<HTMLElement>('[tabindex="0"]')?.focus(),
  }));

  const scrolled = () => {
    const top = (scroller.current as HTMLDivElement).scrollTop * scale;
    setVirtualTop(top);
    moved(top);
  };

  const itemAt = (index: number): Item | undefined =>
    pages.get(Math.floor(index / pageSize))?.[index % pageSize];

  function moveTo(index: number): void {
    const next = Math.max(0, Math.min(total - 1, index));
    setActive(next);
    const page = Math.floor(next / pageSize);
    const row = rowsOf(page)?.find(({ to }) => next % pageSize < to);
    const top = heights.topOf(page) + (row?.top ?? 0);
    const bottom = top + (row?.height ?? rowHeight);
    const element = scroller.current as HTMLDivElement;
    if (top < virtualTop) element.scrollTop = top / scale;
    else if (bottom > virtualTop + size.height) element.scrollTop = (bottom - size.height + gap) / scale;
    requestAnimationFrame(() =>
      element.querySelector<HTMLElement>(`[data-index="${next}"]`)?.focus({ preventScroll: true }),
    );
  }

  function verticalNeighbour(direction: 1 | -1): number {
    const page = Math.floor(active / pageSize);
    const rows = rowsOf(page) ?? [];
    const at = rows.findIndex(({ to }) => active % pageSize < to);
    const inRow = (active % pageSize) - (rows[at]?.from ?? 0);
    const next = rows[at + direction];
    if (next) return page * pageSize + Math.min(next.to - 1, next.from + inRow);
    return direction === 1 ? (page + 1) * pageSize + inRow : page * pageSize - 1;
  }

  function press(event: KeyboardEvent): void {
    const forward = document.documentElement.dir === 'rtl' ? 'ArrowLeft' : 'ArrowRight';
    const backward = document.documentElement.dir === 'rtl' ? 'ArrowRight' : 'ArrowLeft';
    const item = itemAt(active);
    const moves = new Map<string, () => number>([
      [forward, () => active + 1],
      [backward, () => active - 1],
      ['ArrowDown', () => verticalNeighbour(1)],
      ['ArrowUp', () => verticalNeighbour(-1)],
      ['Home', () => 0],
      ['End', () => total - 1],
    ]);
    const move = moves.get(event.key);
    if (move) {
      const next = move();
      moveTo(next);
      const reached = itemAt(Math.max(0, Math.min(total - 1, next)));
      if (event.shiftKey && reached) onSelect(reached, next, 'range');
    } else if (event.key === 'Enter' && item) onOpen(item, active);
    else if (event.key === ' ' && item) onPreview(item, active);
    else if (event.key === 'x' && item) onSelect(item, active, 'toggle');
    else return;
    event.preventDefault();
  }

  function click(event: MouseEvent): void {
    const target = event.target as HTMLElement;
    const index = Number(target.closest<HTMLElement>('.grid-cell')?.dataset['index'] ?? Number.NaN);
    const item = itemAt(index);
    if (!item) return;
    setActive(index);
    const isMark = target.closest('.grid-mark') !== null;
    if (event.shiftKey) onSelect(item, index, 'range');
    else if (isMark || event.ctrlKey || event.metaKey) onSelect(item, index, 'toggle');
    else onOpen(item, index);
  }

  const trouble = pages.trouble();
  return (
    <div className="grid-holder">
      {trouble !== undefined && <TroubleNote thrown={trouble} retry={() => pages.refresh(inView)} />}
      {/* biome-ignore lint/a11y/noStaticElementInteractions: keys of the grid inside */}
      <div className="grid-scroller" ref={scroller} onScroll={scrolled} onKeyDown={press}>
        {/* biome-ignore lint/a11y/useKeyWithClickEvents: keys are heard by the element around it */}
        {/* biome-ignore lint/a11y/useSemanticElements: rows lie where the layout puts them, as in no table */}
        <div
          className="grid-whole"
          role="grid"
          onClick={click}
          aria-label={t('gallery.label')}
          aria-rowcount={-1}
          style={{ height: scrollHeight }}
        >
          {inView.map((page) => (
            <PageRows
              key={page}
              page={page}
              // To the bit the same from frame to frame where nothing is scaled.
              top={heights.topOf(page) + virtualTop * (1 / scale - 1)}
              items={pages.get(page)}
              rows={rowsOf(page)}
              guess={{ height: heights.heightOf(page) }}
              view={{
                from: virtualTop - heights.topOf(page) - rowHeight,
                to: virtualTop - heights.topOf(page) + size.height + rowHeight,
              }}
              width={size.width}
              active={active}
              selected={selected}
              going={going}
              overlay={overlay}
              isStill={isStill}
            />
          ))}
        </div>
      </div>
    </div>
  );
}

/** Whether pictures pass slowly enough to be looked at, and what to tell where the grid has moved to. */
function useStillness(): [boolean, (top: number) => void] {
  const [isStill, setStill] = useState(true);
  const last = useRef({ top: 0, at: 0, timer: 0 });
  useEffect(() => () => clearTimeout(last.current.timer), []);
  const moved = (top: number) => {
    const now = performance.now();
    const before = last.current;
    clearTimeout(before.timer);
    last.current = { top, at: now, timer: window.setTimeout(() => setStill(true), stillAfterMs) };
    setStill(Math.abs(top - before.top) < lookingSpeedMax * (now - before.at));
  };
  return [isStill, moved];
}

function PageRows({
  page,
  top,
  items,
  rows,
  guess,
  view,
  width,
  active,
  selected,
  going,
  overlay,
  isStill,
}: {
  page: number;
  top: number;
  items: readonly Item[] | undefined;
  rows: readonly RowPlace[] | undefined;
  guess: { height: number };
  view: { from: number; to: number };
  width: number;
  active: number;
  selected: ReadonlySet<string>;
  going: ReadonlySet<string>;
  overlay: boolean;
  isStill: boolean;
}) {
  if (!items || !rows)
    return <div className="grid-waiting" style={{ top, height: guess.height }} aria-hidden="true" />;
  const shown = rows.filter((row) => row.top + row.height > view.from && row.top < view.to);
  return shown.map((row) => {
    let left = 0;
    return (
      // biome-ignore lint/a11y/useFocusableInteractive: its cells take the focus
      // biome-ignore lint/a11y/useSemanticElements: as above
      <div key={row.from} role="row" className="grid-row" style={{ top: top + row.top, height: row.height }}>
        {items.slice(row.from, row.to).map((item, i) => {
          const aspect = clampAspect(aspectOf(item.input.data));
          const cellWidth = Math.min(aspect * row.height, width);
          const at = left;
          left += cellWidth + gap;
          const index = page * pageSize + row.from + i;
          const id = item.input.id ?? '';
          return (
            <Cell
              key={id}
              item={item}
              index={index}
              left={at}
              width={cellWidth}
              isActive={index === active}
              isSelected={selected.has(id)}
              isGoing={going.has(id)}
              overlay={overlay}
              isStill={isStill}
            />
          );
        })}
      </div>
    );
  });
}

/** Remembered: while the grid is scrolled, most of its cells stay as they are. */
const Cell = memo(function Cell({
  item,
  index,
  left,
  width,
  isActive,
  isSelected,
  isGoing,
  overlay,
  isStill,
}: {
  item: Item;
  index: number;
  left: number;
  width: number;
  isActive: boolean;
  isSelected: boolean;
  isGoing: boolean;
  overlay: boolean;
  isStill: boolean;
}) {
  const { t } = useTranslation();
  const { input, score } = item;
  const state = stateOf(input.status);
  const kind = kindOf(input.data);
  const path = picturePath(input.data, 'small');
  // A file that is no picture has its name shown instead, until it is read again.
  const [broken, setBroken] = useState<Input>();
  const said =
    score === undefined
      ? undefined
      : formatNumber(score, { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const words = [
    nameOf(input),
    ...labelsOf(input.data).map(conceptName),
    ...(state === 'ready' ? [] : [t(`gallery.state.${state}`)]),
    ...(isGoing ? [t('gallery.going')] : []),
    ...(said === undefined ? [] : [t('gallery.score', { score: said })]),
  ].join(', ');
  return (
    // biome-ignore lint/a11y/useSemanticElements: as above
    <div
      role="gridcell"
      className={`grid-cell${isSelected ? ' selected' : ''}${isGoing ? ' going' : ''}`}
      style={{ insetInlineStart: left, width }}
      tabIndex={isActive ? 0 : -1}
      data-index={index}
      data-id={input.id}
      aria-label={words}
      aria-selected={isSelected}
    >
      {path && broken !== input ? (
        <img
          className={kind === 'audio' ? 'on-paper' : undefined}
          src={path}
          alt=""
          loading="lazy"
          decoding="async"
          draggable={false}
          onError={() => setBroken(input)}
        />
      ) : (
        <TextTile input={input} isStill={isStill} />
      )}
      {overlay && state === 'ready' && !isGoing && <Overlay input={input} isStill={isStill} />}
      {kind !== 'image' && <Icon name={kind === 'video' ? 'video' : kind === 'audio' ? 'play' : 'docs'} />}
      {isGoing && <span className="badge danger">{t('gallery.going')}</span>}
      {state !== 'ready' && (
        <span className={`badge ${state === 'failed' ? 'danger' : 'warn'}`}>
          {t(`gallery.state.${state}`)}
        </span>
      )}
      {said !== undefined && <span className="grid-score" data-score={said} aria-hidden="true" />}
      <span className="grid-mark" aria-hidden="true">
        <Icon name="check" size={14} />
      </span>
    </div>
  );
});
