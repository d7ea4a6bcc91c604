import type { DatasetVersion } from '@fovea/contract/rest';
import { useTranslation } from 'react-i18next';
import { rpc } from '../../api/client.ts';
import { refresh, useAppName } from '../../api/queries.ts';
import { wordsOf } from '../../api/trouble.ts';
import { formatAgo, formatDate, formatNumber } from '../../i18n/format.ts';
import { IconButton } from '../../ui/button.tsx';
import { DeleteButton } from '../../ui/delete-button.tsx';
import { say, sayTrouble } from '../../ui/notices.tsx';
import { numberColumn, Table } from '../../ui/table.tsx';
import { nameOf } from './version-name.ts';
import { startWork, waitForWork } from './works.ts';

const ready = 64015;
const making = [64005, 64010];

export const isReady = ({ status }: DatasetVersion): boolean => status?.code === ready;
export const isMaking = ({ status }: DatasetVersion): boolean => making.includes(status?.code ?? 0);

/** What was kept of a dataset: to go back to, and to let go. */
export function Versions({
  datasetId,
  versions,
}: {
  datasetId: string;
  versions: readonly DatasetVersion[];
}) {
  const { t } = useTranslation();
  const app = useAppName();
  const remove = async (id: string) => {
    await rpc('DeleteDatasetVersions', {
      user_app_id: app,
      dataset_id: datasetId,
      dataset_version_ids: [id],
    });
    await refresh('ListDatasetVersions');
  };
  const restore = async (id: string): Promise<string | undefined> => {
    const work = await startWork(app, datasetId, id, 'restore', { labels: true });
    say(t('datasets.restoring'));
    await waitForWork(app, datasetId, work.id);
    await refresh('ListDatasetVersions', 'GetDataset');
    return work.kept_version_id;
  };
  const restoreAndSay = async (id: string) => {
    const kept = await restore(id);
    say(
      t('datasets.restored', { kept: kept ?? '' }),
      // What was before is a version, too, and can be made again in the same way.
      kept ? { label: t('common.undo'), act: () => void restore(kept).catch(sayTrouble) } : undefined,
    );
  };
  return (
    <Table
      columns={[
        t('model.version'),
        t('model.state'),
        { head: t('common.created'), isSpare: true },
        numberColumn(t('nav.inputs')),
        { ...numberColumn(t('datasets.unlabelled')), isSpare: true },
        { ...numberColumn(t('datasets.regions')), isSpare: true },
        undefined,
      ]}
    >
      {versions.map((version) => {
        const metrics = version.metrics?.[''];
        const isMade = isReady(version);
        return (
          <tr key={version.id}>
            <th scope="row">
              <code>{nameOf(version)}</code>
            </th>
            <td>
              <span className={`badge ${isMade ? 'good' : isMaking(version) ? 'warn' : 'danger'}`}>
                {isMade ? t('version.trained') : wordsOf(version.status)}
              </span>
            </td>
            <td className="when spare">{formatAgo(version.created_at)}</td>
            <td className="number">{formatNumber(Number(metrics?.inputs_count ?? 0))}</td>
            <td className="number spare">{formatNumber(Number(metrics?.unlabeled_inputs_count ?? 0))}</td>
            <td className="number spare">{formatNumber(Number(metrics?.regions_count ?? 0))}</td>
            <td>
              <div className="row end">
                {isMade && (
                  <IconButton
                    icon="undo"
                    label={t('datasets.restore', { name: nameOf(version) })}
                    onPress={() => void restoreAndSay(version.id ?? '').catch(sayTrouble)}
                  />
                )}
                <DeleteButton
                  label={t('datasets.deleteVersion', { name: nameOf(version) })}
                  title={t('model.deleteTitle', { name: nameOf(version) })}
                  act={() => remove(version.id ?? '')}
                >
                  <p>
                    {t('datasets.deleteVersionWords', {
                      inputs: formatNumber(Number(metrics?.inputs_count ?? 0)),
                      date: formatDate(version.created_at),
                    })}
                  </p>
                </DeleteButton>
              </div>
            </td>
          </tr>
        );
      })}
    </Table>
  );
}
