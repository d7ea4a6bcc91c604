import type { DatasetVersion } from '@fovea/contract/rest';
import { useTranslation } from 'react-i18next';
import { rpc } from '../../api/client.ts';
import { refresh, useAppName, useRpc } from '../../api/queries.ts';
import { wordsOf } from '../../api/trouble.ts';
import { Button } from '../../ui/button.tsx';
import { DownloadLink } from '../../ui/download-link.tsx';
import { sayTrouble } from '../../ui/notices.tsx';
import { Loaded } from '../../ui/states.tsx';

const exportReady = 64200;
const exporting = [64201, 64203];
const formats = [
  ['COCO', 2, 'coco'],
  ['Protobuf', 1, 'clarifai_data_protobuf'],
  ['JSON', 3, 'clarifai_data_json'],
] as const;

/** Archives of a version in the formats of the contract. */
export function Exports({ datasetId, version }: { datasetId: string; version: DatasetVersion }) {
  const { t } = useTranslation();
  const app = useAppName();
  const found = useRpc(
    'GetDatasetVersion',
    { user_app_id: app, dataset_id: datasetId, dataset_version_id: version.id ?? '' },
    {
      everyMs: (data) =>
        formats.some(([, , field]) =>
          exporting.includes(data?.dataset_version?.export_info?.[field]?.status?.code ?? 0),
        )
          ? 800
          : false,
    },
  );
  const start = async (format: number) => {
    try {
      await rpc('PutDatasetVersionExports', {
        user_app_id: app,
        dataset_id: datasetId,
        dataset_version_id: version.id ?? '',
        exports: [{ format }],
      });
      await refresh('GetDatasetVersion');
    } catch (thrown) {
      sayTrouble(thrown);
    }
  };
  return (
    <Loaded query={found}>
      {({ dataset_version }) => (
        <ul className="cards plain">
          {formats.map(([name, format, field]) => {
            const made = dataset_version?.export_info?.[field];
            const status = made?.status?.code ?? 0;
            return (
              <li key={name} className="card stack">
                <h3>{name}</h3>
                {status === exportReady && made?.url ? (
                  <DownloadLink
                    path={new URL(made.url, location.origin).pathname}
                    sizeBytes={Number(made.size ?? 0)}
                  />
                ) : exporting.includes(status) ? (
                  <p role="status">{wordsOf(made?.status)}</p>
                ) : (
                  <Button icon="download" onPress={() => void start(format)}>
                    {t('datasets.export')}
                  </Button>
                )}
                {status !== 0 && status !== exportReady && !exporting.includes(status) && (
                  <p className="note danger">{wordsOf(made?.status)}</p>
                )}
              </li>
            );
          })}
        </ul>
      )}
    </Loaded>
  );
}
