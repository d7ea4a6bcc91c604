import type { DatasetVersion, DatasetVersionMetrics, DatasetVersionMetricsGroup } from '@fovea/contract/rest';
import { lazy, Suspense, useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { useAppName, useRpc } from '../../api/queries.ts';
import { go, pathTo } from '../../app/place.ts';
import { formatNumber } from '../../i18n/format.ts';
import { Loaded, Waiting } from '../../ui/states.tsx';
import { Table } from '../../ui/table.tsx';

const Chart = lazy(() => import('../../ui/chart.tsx'));

/** Kinds of groups, as the contract numbers them. */
const groupTypes = {
  concept: 10,
  conceptsPerInput: 11,
  boxesPerInput: 20,
  polygonsPerInput: 21,
  masksPerInput: 23,
  pixels: 30,
  aspectRatio: 31,
} as const;

const counters = [
  'inputs_count',
  'unlabeled_inputs_count',
  'inputs_with_metadata_count',
  'inputs_with_geo_count',
  'regions_count',
  'bounding_boxes_count',
  'polygons_count',
  'points_count',
  'masks_count',
  'frames_count',
] as const;

/** What is in a version, as numbers and charts; bars of labels lead to their inputs. */
export function VersionMetrics({ datasetId, version }: { datasetId: string; version: DatasetVersion }) {
  const { t } = useTranslation();
  const app = useAppName();
  const metrics: DatasetVersionMetrics = version.metrics?.[''] ?? {};
  const found = useRpc('ListDatasetVersionMetricsGroups', {
    user_app_id: app,
    dataset_id: datasetId,
    dataset_version_id: version.id ?? '',
    per_page: 1000,
  });
  const shown = counters.filter((name) => Number(metrics[name] ?? 0) > 0);
  return (
    <div className="stack">
      <ul className="tiles plain">
        {shown.map((name) => (
          <li key={name} className="card tile">
            <strong>{formatNumber(Number(metrics[name]))}</strong>
            <span className="quiet">{t(`datasets.counter.${name}`)}</span>
          </li>
        ))}
      </ul>
      <Loaded query={found}>
        {({ dataset_version_metrics_groups = [] }) => (
          <Suspense fallback={<Waiting />}>
            <div className="two-columns">
              {Object.entries(groupTypes).map(([name, type]) => (
                <GroupChart
                  key={name}
                  title={t(`datasets.group.${name}`)}
                  groups={dataset_version_metrics_groups.filter((group) => group.type === type)}
                  open={
                    name === 'concept'
                      ? (value) =>
                          go(
                            `${pathTo(app.user_id, app.app_id, 'inputs')}?dataset=${encodeURIComponent(datasetId)}&concept=${encodeURIComponent(value)}`,
                          )
                      : undefined
                  }
                />
              ))}
            </div>
          </Suspense>
        )}
      </Loaded>
    </div>
  );
}

const textOf = (value: unknown): string =>
  typeof value === 'number' ? formatNumber(value, { maximumFractionDigits: 2 }) : String(value ?? '');

function GroupChart({
  title,
  groups,
  open,
}: {
  title: string;
  groups: readonly DatasetVersionMetricsGroup[];
  open: ((value: string) => void) | undefined;
}) {
  const { t } = useTranslation();
  const sorted = useMemo(
    () =>
      groups.toSorted((a, b) =>
        typeof a.value === 'number' && typeof b.value === 'number'
          ? a.value - b.value
          : Number(b.metrics?.inputs_count ?? 0) - Number(a.metrics?.inputs_count ?? 0),
      ),
    [groups],
  );
  const bars = useMemo(
    () => ({
      names: sorted.map(({ value }) => textOf(value)),
      values: sorted.map(({ metrics }) => Number(metrics?.inputs_count ?? 0)),
    }),
    [sorted],
  );
  const axes = useMemo(() => ({ x: { name: title }, y: { name: t('nav.inputs') } }), [title, t]);
  if (groups.length === 0) return null;
  return (
    <section className="card">
      <h2>{title}</h2>
      <Chart
        label={title}
        bars={bars}
        x={axes.x}
        y={axes.y}
        height={240}
        {...(open ? { onPress: (_series: number, index: number) => open(textOf(sorted[index]?.value)) } : {})}
      />
      <details>
        <summary className="small">{t('datasets.asTable')}</summary>
        <Table>
          {sorted.map(({ value, metrics }) => (
            <tr key={textOf(value)}>
              <th scope="row">
                {open ? (
                  <button type="button" className="as-link" onClick={() => open(textOf(value))}>
                    {textOf(value)}
                  </button>
                ) : (
                  textOf(value)
                )}
              </th>
              <td className="number">{formatNumber(Number(metrics?.inputs_count ?? 0))}</td>
            </tr>
          ))}
        </Table>
      </details>
    </section>
  );
}
