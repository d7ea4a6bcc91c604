import type { DatasetVersion } from '@fovea/contract/rest';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useAppName } from '../../api/queries.ts';
import { formatAgo, formatPercent } from '../../i18n/format.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { DeleteButton } from '../../ui/delete-button.tsx';
import { DownloadLink } from '../../ui/download-link.tsx';
import { Checkbox, Select } from '../../ui/fields.tsx';
import { sayTrouble } from '../../ui/notices.tsx';
import {
  endTransfer,
  type FormatId,
  formatIds,
  formatNames,
  fractionOf,
  isOver,
  listTransfers,
  startExport,
  type Transfer,
  transferPath,
} from '../../upload/transfers.ts';
import { nameOf } from './version-name.ts';

const everyMs = 800;
/** Stands for no version: the dataset as it is. */
const now = 'now';

/** Archives of a dataset in the formats of other tools, written in the background. */
export function OtherFormats({
  datasetId,
  versions,
}: {
  datasetId: string;
  /** Kept versions that are ready. */
  versions: readonly DatasetVersion[];
}) {
  const { t } = useTranslation();
  const app = useAppName();
  const [format, setFormat] = useState<FormatId>('coco');
  const [versionId, setVersionId] = useState(now);
  const [withImages, setWithImages] = useState(true);
  const listed = useQuery({
    queryKey: ['transfers', app, datasetId],
    queryFn: async ({ signal }) =>
      (await listTransfers(app, signal)).filter(
        ({ kind, dataset_id }) => kind === 'export' && dataset_id === datasetId,
      ),
    refetchInterval: ({ state }) => (state.data?.some((one) => !isOver(one)) ? everyMs : false),
  });
  const change = async (work: Promise<unknown>) => {
    try {
      await work;
    } catch (thrown) {
      sayTrouble(thrown);
    }
    await listed.refetch();
  };
  return (
    <section className="stack" aria-label={t('datasets.exportOther')}>
      <h2>{t('datasets.exportOther')}</h2>
      <p className="quiet">{t('datasets.exportOtherWords')}</p>
      <div className="row end-aligned">
        <Select
          label={t('datasets.exportFormat')}
          value={format}
          onChange={(id) => setFormat(id as FormatId)}
          choices={formatIds.map((id) => ({ id, label: formatNames[id] }))}
        />
        <Select
          label={t('datasets.exportState')}
          value={versionId}
          onChange={setVersionId}
          choices={[
            { id: now, label: t('datasets.asItIs') },
            ...versions.map((version) => ({
              id: version.id ?? '',
              label: nameOf(version),
              detail: formatAgo(version.created_at),
            })),
          ]}
        />
        <Checkbox label={t('datasets.withImages')} isSelected={withImages} onChange={setWithImages} />
        <Button
          look="primary"
          icon="download"
          onPress={() =>
            void change(
              startExport(app, {
                dataset_id: datasetId,
                format,
                with_images: withImages,
                ...(versionId === now ? {} : { dataset_version_id: versionId }),
              }),
            )
          }
        >
          {t('datasets.export')}
        </Button>
      </div>
      <ul className="plain stack">
        {listed.data?.map((transfer) => (
          <Export
            key={transfer.id}
            transfer={transfer}
            version={versions.find(({ id }) => id === transfer.dataset_version_id)}
            path={`${transferPath(app, transfer.id)}/content`}
            end={() => change(endTransfer(app, transfer.id))}
          />
        ))}
      </ul>
    </section>
  );
}

function Export({
  transfer,
  version,
  path,
  end,
}: {
  transfer: Transfer;
  /** What it holds, where that is a version. */
  version: DatasetVersion | undefined;
  path: string;
  end: () => Promise<unknown>;
}) {
  const { t } = useTranslation();
  const { format, state, size = 0, reason, report } = transfer;
  const name = format === '' ? transfer.id : formatNames[format];
  const fraction = fractionOf(transfer);
  return (
    <li className="card row between wrap">
      <span>
        <span className="strong">{name}</span> {version && <span className="badge">{nameOf(version)}</span>}{' '}
        <span className="quiet small">{formatAgo(transfer.created_at)}</span>
      </span>
      {!isOver(transfer) && (
        <span
          className="progress grow"
          role="progressbar"
          aria-label={name}
          aria-valuenow={Math.round(100 * fraction)}
        >
          <span style={{ width: `${100 * fraction}%` }} />
        </span>
      )}
      {!isOver(transfer) && <span className="small number">{formatPercent(fraction, 0)}</span>}
      {state === 'failed' && <span className="badge danger">{reason}</span>}
      {state === 'cancelled' && <span className="badge">{t('jobs.state.stopped')}</span>}
      {((report.errors ?? 0) > 0 || (report.warnings ?? 0) > 0) && (
        <span className="badge warn">
          {t('datasets.exportProblems', { errors: report.errors ?? 0, warnings: report.warnings ?? 0 })}
        </span>
      )}
      <span className="row">
        {state === 'done' && <DownloadLink path={path} sizeBytes={size} />}
        {isOver(transfer) ? (
          <DeleteButton label={t('common.delete')} title={t('datasets.deleteExport', { name })} act={end}>
            <p>{t('datasets.deleteExportWords')}</p>
          </DeleteButton>
        ) : (
          <IconButton icon="stop" label={t('common.cancel')} onPress={() => void end()} />
        )}
      </span>
    </li>
  );
}
