import type { DatasetVersion } from '@fovea/contract/rest';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { call } from '../../api/client.ts';
import { useAppName } from '../../api/queries.ts';
import { Link } from '../../app/link.tsx';
import { pathTo } from '../../app/place.ts';
import { formatNumber } from '../../i18n/format.ts';
import { Select } from '../../ui/fields.tsx';
import { Loaded } from '../../ui/states.tsx';
import { numberColumn, Table } from '../../ui/table.tsx';
import { firstOf, nameOf } from './version-name.ts';
import { datasetPath } from './works.ts';

interface Diff {
  readonly inputs?: Readonly<Record<'added' | 'removed' | 'changed', number>>;
  readonly concepts?: readonly { readonly id: string; readonly added?: number; readonly removed?: number }[];
}

interface InputDiff {
  readonly id: string;
  readonly change: 'added' | 'removed' | 'changed';
}

/** What changed from one version to another. */
export function VersionDiff({
  datasetId,
  versions,
}: {
  datasetId: string;
  versions: readonly DatasetVersion[];
}) {
  const { t } = useTranslation();
  const app = useAppName();
  const [to, setTo] = useState(() => firstOf(versions)?.id ?? '');
  // What came before it, where anything did.
  const [from, setFrom] = useState(() => {
    const at = versions.findIndex(({ id }) => id === to);
    return (firstOf(versions.slice(at + 1)) ?? versions.find(({ id }) => id !== to))?.id ?? '';
  });
  const path = `${datasetPath(app, datasetId)}/versions/${encodeURIComponent(to)}/diff`;
  const found = useQuery({
    queryKey: ['diff', path, from],
    queryFn: async ({ signal }) => {
      const query = new URLSearchParams({ from });
      const [whole, { inputs = [] }] = await Promise.all([
        call<{ diff?: Diff } & Diff>('GET', `${path}?${query}`, undefined, { signal }),
        call<{ inputs?: readonly InputDiff[] }>('GET', `${path}/inputs?${query}&per_page=200`, undefined, {
          signal,
          quiet: true,
        }),
      ]);
      return { diff: whole.diff ?? whole, inputs };
    },
  });
  const choices = versions.map((version) => ({ id: version.id ?? '', label: nameOf(version) }));
  return (
    <div className="stack">
      <div className="row">
        <Select label={t('datasets.from')} choices={choices} value={from} onChange={setFrom} />
        <Select label={t('datasets.to')} choices={choices} value={to} onChange={setTo} />
      </div>
      <Loaded query={found}>
        {({ diff: { inputs: counts, concepts = [] }, inputs }) => (
          <>
            <ul className="tiles plain">
              {(['added', 'removed', 'changed'] as const).map((kind) => (
                <li key={kind} className="card tile">
                  <strong>{formatNumber(counts?.[kind] ?? 0)}</strong>
                  <span className="quiet">{t(`datasets.change.${kind}`)}</span>
                </li>
              ))}
            </ul>
            {concepts.length > 0 && (
              <Table
                columns={[
                  t('evaluation.concept'),
                  numberColumn(t('datasets.change.added')),
                  numberColumn(t('datasets.change.removed')),
                ]}
              >
                {concepts.map((concept) => (
                  <tr key={concept.id}>
                    <th scope="row">{concept.id}</th>
                    <td className="number">{formatNumber(concept.added ?? 0)}</td>
                    <td className="number">{formatNumber(concept.removed ?? 0)}</td>
                  </tr>
                ))}
              </Table>
            )}
            <ul className="plain">
              {inputs.slice(0, 200).map(({ id, change }) => (
                <li key={id}>
                  <span className="badge">{t(`datasets.change.${change}`)}</span>{' '}
                  <Link href={pathTo(app.user_id, app.app_id, 'inputs', id)}>{id}</Link>
                </li>
              ))}
            </ul>
          </>
        )}
      </Loaded>
    </div>
  );
}
