import { useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { conceptName } from '../../api/media.ts';
import { useAppName, useRpc } from '../../api/queries.ts';
import { formatNumber } from '../../i18n/format.ts';
import { Checkbox } from '../../ui/fields.tsx';
import { Troubles } from '../../ui/states.tsx';
import { kinds, type Query, type StatusFilter } from './query.ts';
import { search } from './search-box.tsx';

/** How often counts are asked for while the server reads inputs, in milliseconds. */
const refreshMs = 1500;

/** What there is, counted; a tick narrows the gallery to it. */
export function Facets({ query }: { query: Query }) {
  const { t } = useTranslation();
  const app = useAppName();
  const counts = useRpc(
    'GetInputCount',
    { user_app_id: app },
    {
      everyMs: (data) =>
        (data?.counts?.to_process ?? 0) + (data?.counts?.processing ?? 0) > 0 ? refreshMs : false,
    },
  );
  const concepts = useRpc('GetConceptCounts', { user_app_id: app, per_page: 200 });
  const datasets = useRpc('ListDatasets', { user_app_id: app, per_page: 100 });
  const byKind = useRpc('PostInputsSearches', {
    user_app_id: app,
    searches: kinds.map((kind) => ({
      query: { filters: [{ input: { data: { [kind]: {} } } }] },
    })),
    only_count: true,
  });
  // What has been read since is of some kind, too.
  const isRead = counts.data?.counts?.processed;
  const wasRead = useRef(isRead);
  const countKinds = byKind.refetch;
  useEffect(() => {
    if (wasRead.current !== undefined && wasRead.current !== isRead) void countKinds();
    wasRead.current = isRead;
  }, [isRead, countKinds]);
  const { processed = 0, to_process = 0, processing = 0, errors = 0 } = counts.data?.counts ?? {};
  const statuses: readonly (readonly [StatusFilter, number])[] = [
    ['ready', processed],
    ['waiting', to_process],
    ['working', processing],
    ['failed', errors],
  ];
  const labelled = (concepts.data?.concept_counts ?? [])
    .map((concept) => ({
      id: concept.id ?? '',
      name: conceptName(concept),
      count: concept.concept_type_count?.positive ?? 0,
    }))
    .toSorted((a, b) => b.count - a.count);
  return (
    <aside className="facets" aria-label={t('facets.label')}>
      <Troubles queries={[counts, concepts, byKind, datasets]} />
      <Facet title={t('facets.status')}>
        {statuses.map(([status, count]) => (
          <Row
            key={status}
            label={t(`search.status.${status}`)}
            count={count}
            isOn={query.status === status}
            set={(on) => search({ ...query, status: on ? status : undefined })}
          />
        ))}
      </Facet>
      <Facet title={t('facets.kind')}>
        {kinds.map((kind, i) => (
          <Row
            key={kind}
            label={t(`search.kind.${kind}`)}
            count={Number(byKind.data?.hit_counts?.[i]?.estimated_total ?? 0)}
            isOn={query.kinds.includes(kind)}
            set={(on) =>
              search({
                ...query,
                kinds: on ? [...query.kinds, kind] : query.kinds.filter((other) => other !== kind),
              })
            }
          />
        ))}
      </Facet>
      {labelled.length > 0 && (
        <Facet title={t('facets.concepts')}>
          {labelled.slice(0, 40).map(({ id, name, count }) => (
            <Row
              key={id}
              label={name}
              count={count}
              isOn={query.concepts.some((concept) => concept.id === id && !concept.not)}
              set={(on) => {
                // What was to be without it is to have it now.
                const others = query.concepts.filter((concept) => concept.id !== id);
                search({ ...query, concepts: on ? [...others, { id, not: false }] : others });
              }}
            />
          ))}
        </Facet>
      )}
      {(datasets.data?.datasets?.length ?? 0) > 0 && (
        <Facet title={t('facets.datasets')}>
          {datasets.data?.datasets?.map(({ id = '' }) => (
            <Row
              key={id}
              label={id}
              isOn={query.datasets.includes(id)}
              set={(on) =>
                search({
                  ...query,
                  datasets: on ? [...query.datasets, id] : query.datasets.filter((other) => other !== id),
                })
              }
            />
          ))}
        </Facet>
      )}
    </aside>
  );
}

function Facet({ title, children }: { title: string; children: React.ReactNode }) {
  return (
    <details className="facet" open>
      <summary>{title}</summary>
      {children}
    </details>
  );
}

function Row({
  label,
  count,
  isOn,
  set,
}: {
  label: string;
  count?: number;
  isOn: boolean;
  set: (on: boolean) => void;
}) {
  return (
    <div className="facet-row">
      <Checkbox label={label} isSelected={isOn} onChange={set} />
      {count !== undefined && <span className="quiet small number">{formatNumber(count)}</span>}
    </div>
  );
}
