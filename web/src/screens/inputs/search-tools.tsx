import { lazy, Suspense, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { IconButton } from '../../ui/button.tsx';
import { AsOfDialog } from './as-of-dialog.tsx';
import type { Query } from './query.ts';
import { SavedSearches } from './saved-searches.tsx';
import { search } from './search-box.tsx';

// The map of the world comes only to those who look at it.
const MapDialog = lazy(() => import('./map-dialog.tsx'));

/** Beside the search box: the map, the time, and searches that were kept. */
export function SearchTools({ query }: { query: Query }) {
  const { t } = useTranslation();
  const [open, setOpen] = useState<'map' | 'time' | 'saved'>();
  const close = () => setOpen(undefined);
  return (
    <>
      <IconButton icon="map" label={t('map.title')} onPress={() => setOpen('map')} />
      <IconButton icon="clock" label={t('asOf.title')} onPress={() => setOpen('time')} />
      <IconButton icon="save" label={t('saved.title')} onPress={() => setOpen('saved')} />
      {open === 'map' && (
        <Suspense>
          <MapDialog
            query={query}
            onClose={close}
            onChoose={(geo) => {
              close();
              search({ ...query, geo });
            }}
          />
        </Suspense>
      )}
      {open === 'time' && (
        <AsOfDialog
          asOf={query.asOf}
          onClose={close}
          onChoose={(asOf) => {
            close();
            search({ ...query, asOf });
          }}
        />
      )}
      {open === 'saved' && <SavedSearches query={query} onClose={close} />}
    </>
  );
}
