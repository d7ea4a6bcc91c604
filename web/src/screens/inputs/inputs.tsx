import type { Input } from '@fovea/contract/rest';
import { useQuery } from '@tanstack/react-query';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { fetchAhead } from '../../api/media.ts';
import { useAppName } from '../../api/queries.ts';
import { go, pathTo, usePlace } from '../../app/place.ts';
import { setPreference, useIsNarrow, usePreference } from '../../app/preferences.ts';
import { Grid, type GridHandle } from '../../gallery/grid.tsx';
import type { Item } from '../../gallery/source.ts';
import { formatNumber } from '../../i18n/format.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { Empty, TroubleNote, Waiting } from '../../ui/states.tsx';
import { offerPicked } from '../../upload/drop-target.tsx';
import { choose } from '../../upload/files.ts';
import { Chips } from './chips.tsx';
import { useGoing } from './deletions.ts';
import { Facets } from './facets.tsx';
import { isPictureGone, keepPicture } from './pictures.ts';
import { Preview } from './preview.tsx';
import { isEverything, isRanked, type Query, queryFrom } from './query.ts';
import { ScoreCut } from './score-cut.tsx';
import { SearchBox, search } from './search-box.tsx';
import { SearchTools } from './search-tools.tsx';
import { SelectionBar } from './selection-bar.tsx';
import { readInputs, sourceOf } from './sources.ts';

const rowHeights = [90, 130, 180, 250, 340] as const;

/** The labeller is fetched ahead when the gallery has long been there, so that the first input opens as fast as others. */
const labellerAfterMs = 3_000;

/** Everything in the app, or what was looked for, as pictures. */
export default function Inputs() {
  const { t } = useTranslation();
  const app = useAppName();
  const { query: address } = usePlace();
  const words = address.toString();
  const query = useMemo(() => queryFrom(new URLSearchParams(words)), [words]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: an app is its two ids
  const source = useMemo(() => sourceOf(app, query), [app.user_id, app.app_id, query]);
  const grid = useRef<GridHandle>(null);
  const [selected, setSelected] = useState<ReadonlyMap<string, number>>(new Map());
  const [preview, setPreview] = useState<Item>();
  const density = Number(usePreference('density') ?? 2);
  const overlay = usePreference('overlay') !== 'off';
  // On a narrow window they would stand where the pictures are.
  const isNarrow = useIsNarrow();
  const facets = (usePreference('facets') ?? (isNarrow ? 'off' : 'on')) !== 'off';
  const isLost = isPictureGone(query);
  const total = useQuery({
    queryKey: ['GetInputCount', 'gallery', source.key],
    queryFn: ({ signal }) => source.count(signal),
    enabled: !isLost,
  });

  const refetch = total.refetch;
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const changed = () => {
      timer ??= setTimeout(() => {
        timer = undefined;
        void refetch().then(() => grid.current?.refresh());
      }, 500);
    };
    window.addEventListener('fovea:inputs', changed);
    return () => {
      clearTimeout(timer);
      window.removeEventListener('fovea:inputs', changed);
    };
  }, [refetch]);

  useEffect(() => {
    const timer = setTimeout(() => void import('../label/label.tsx').catch(() => undefined), labellerAfterMs);
    return () => clearTimeout(timer);
  }, []);
  const lastMarked = useRef<number | undefined>(undefined);
  const select = useCallback(
    async (item: Item, index: number, how: 'toggle' | 'range') => {
      const id = item.input.id ?? '';
      if (how === 'range' && lastMarked.current !== undefined) {
        const [from, to] = [lastMarked.current, index].toSorted((a, b) => a - b) as [number, number];
        const ids = await idsBetween(source, from, to);
        setSelected((before) => new Map([...before, ...ids.map((found, i) => [found, from + i] as const)]));
      } else {
        setSelected((before) => {
          const after = new Map(before);
          if (!after.delete(id)) after.set(id, index);
          return after;
        });
      }
      lastMarked.current = index;
    },
    [source],
  );
  const going = useGoing(app);
  const ids = useMemo(() => [...selected.keys()], [selected]);
  const clear = () => setSelected(new Map());
  const replaced = async (inputs: readonly Input[]) => {
    const changed = inputs.flatMap(({ id }) => id ?? []);
    grid.current?.replace(await readInputs(app, changed));
  };

  const pick = (folder: boolean) => void choose({ folder }).then(offerPicked);
  const count = total.data;
  return (
    <div className="gallery">
      <header className="gallery-header">
        <div className="row">
          <IconButton
            icon="filter"
            label={t('facets.toggle')}
            aria-pressed={facets}
            onPress={() => setPreference('facets', facets ? 'off' : 'on')}
          />
          <SearchBox query={query} />
          <SearchTools query={query} />
          <span className="quiet small" role="status">
            {count === undefined ? '' : t('gallery.count', { count, formatted: formatNumber(count) })}
          </span>
          <span className="grow" />
          <IconButton
            icon="eye"
            label={t('gallery.overlay')}
            aria-pressed={overlay}
            onPress={() => setPreference('overlay', overlay ? 'off' : 'on')}
          />
          <IconButton
            icon="zoomOut"
            label={t('gallery.smaller')}
            isDisabled={density === 0}
            onPress={() => setPreference('density', String(density - 1))}
          />
          <IconButton
            icon="zoomIn"
            label={t('gallery.larger')}
            isDisabled={density === rowHeights.length - 1}
            onPress={() => setPreference('density', String(density + 1))}
          />
          <Button look="primary" icon="upload" onPress={() => pick(false)}>
            {t('upload.files')}
          </Button>
          <Button onPress={() => pick(true)}>{t('upload.folder')}</Button>
        </div>
        <Chips query={query} />
        {isRanked(query) && !isLost && <ScoreCut key={source.key} query={query} />}
      </header>
      <div className={`gallery-body${facets ? ' with-facets' : ''}`}>
        {facets && <Facets query={query} />}
        {isLost ? (
          <PictureGone query={query} />
        ) : total.error ? (
          <TroubleNote thrown={total.error} retry={() => void refetch()} />
        ) : count === undefined ? (
          <Waiting />
        ) : count === 0 ? (
          <Nothing everything={isEverything(query)} upload={() => pick(false)} />
        ) : (
          <Grid
            key={source.key}
            ref={grid}
            source={source}
            total={count}
            rowHeight={rowHeights[density] ?? 180}
            selected={new Set(ids)}
            going={going}
            overlay={overlay}
            onOpen={({ input }) => {
              fetchAhead(input);
              go(pathTo(app.user_id, app.app_id, 'inputs', input.id ?? ''));
            }}
            onSelect={(item, index, how) => void select(item, index, how)}
            onPreview={setPreview}
          />
        )}
      </div>
      {ids.length > 0 && (
        <SelectionBar
          ids={ids}
          dataset={query.datasets.length === 1 ? query.datasets[0] : undefined}
          onChanged={(inputs) => void replaced(inputs)}
          onMoved={() => {
            clear();
            void refetch().then(() => grid.current?.refresh());
          }}
          onDeleted={clear}
          onClear={clear}
        />
      )}
      <Preview
        item={preview}
        onClose={() => {
          setPreview(undefined);
          grid.current?.focus();
        }}
        onLike={(like) => {
          setPreview(undefined);
          search({ ...query, like, picture: '', region: undefined, text: '' });
        }}
        onPart={(picture, region) => {
          setPreview(undefined);
          search({ ...query, like: '', picture: keepPicture(picture), region, text: '' });
        }}
      />
    </div>
  );
}

/** Ids of a stretch of the list, read again: not all of it may have been in view. */
async function idsBetween(source: ReturnType<typeof sourceOf>, from: number, to: number): Promise<string[]> {
  const { pageSize } = await import('../../gallery/source.ts');
  const ids: string[] = [];
  for (let page = Math.floor(from / pageSize); page <= Math.floor(to / pageSize); page++) {
    const items = await source.read(page, new AbortController().signal);
    for (const [i, { input }] of items.entries()) {
      const index = page * pageSize + i;
      if (index >= from && index <= to && input.id) ids.push(input.id);
    }
  }
  return ids;
}

/** After a reload: what was searched by is not in the address. */
function PictureGone({ query }: { query: Query }) {
  const { t } = useTranslation();
  const take = async () => {
    const [first] = await choose({ accept: 'image/*' });
    if (first) search({ ...query, picture: keepPicture(first.file) });
  };
  return (
    <Empty
      icon="image"
      title={t('search.pictureGoneTitle')}
      action={
        <Button look="primary" icon="upload" onPress={() => void take()}>
          {t('try.choose')}
        </Button>
      }
    >
      {t('search.pictureGoneWords')}
    </Empty>
  );
}

function Nothing({ everything, upload }: { everything: boolean; upload: () => void }) {
  const { t } = useTranslation();
  return everything ? (
    <Empty
      icon="gallery"
      title={t('gallery.empty')}
      action={
        <Button look="primary" icon="upload" onPress={upload}>
          {t('upload.files')}
        </Button>
      }
    >
      {t('gallery.emptyWords')}
    </Empty>
  ) : (
    <Empty icon="search" title={t('gallery.noHits')}>
      {t('gallery.noHitsWords')}
    </Empty>
  );
}
