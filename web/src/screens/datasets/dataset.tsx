import type { DatasetVersion } from '@fovea/contract/rest';
import { useState } from 'react';
import { Tab, TabList, TabPanel, Tabs } from 'react-aria-components';
import { useTranslation } from 'react-i18next';
import { rpc } from '../../api/client.ts';
import { refresh, useAppName, useRpc } from '../../api/queries.ts';
import { wordsOf } from '../../api/trouble.ts';
import { Link } from '../../app/link.tsx';
import { go, pathTo, setQuery, usePlace } from '../../app/place.ts';
import { formatAgo, formatBytes, formatNumber } from '../../i18n/format.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Select } from '../../ui/fields.tsx';
import { say, sayTrouble } from '../../ui/notices.tsx';
import { Empty, Loaded, Troubles } from '../../ui/states.tsx';
import { Leaks } from './leaks.tsx';
import { OtherFormats } from './other-formats.tsx';
import { VersionDiff } from './version-diff.tsx';
import { VersionMetrics } from './version-metrics.tsx';
import { nameOf } from './version-name.ts';
import { startWork, waitForWork } from './works.ts';

const tabs = ['versions', 'charts', 'diff', 'leaks', 'export'] as const;
const versionReady = 64015;
const working = [64005, 64010];
const exportReady = 64200;
const exporting = [64201, 64203];

/** One dataset: its inputs, its versions, what is in them, what differs, and ways out. */
export default function Dataset() {
  const { t } = useTranslation();
  const app = useAppName();
  const { path, query } = usePlace();
  const id = path[3] ?? '';
  const found = useRpc('GetDataset', { user_app_id: app, dataset_id: id });
  const versions = useRpc(
    'ListDatasetVersions',
    { user_app_id: app, dataset_id: id, per_page: 200 },
    {
      everyMs: (data) =>
        (data?.dataset_versions ?? []).some((version) => working.includes(version.status?.code ?? 0))
          ? 800
          : false,
    },
  );
  const [isDeleting, setDeleting] = useState(false);
  const [isBusy, setBusy] = useState(false);
  const snapshot = async () => {
    setBusy(true);
    try {
      await rpc('PostDatasetVersions', { user_app_id: app, dataset_id: id, dataset_versions: [{}] });
      await refresh('ListDatasetVersions');
    } catch (thrown) {
      sayTrouble(thrown);
    } finally {
      setBusy(false);
    }
  };
  const remove = async () => {
    try {
      await rpc('DeleteDatasets', { user_app_id: app, dataset_ids: [id] });
      await refresh('ListDatasets', 'GetResourceCounts');
      say(t('datasets.deleted', { name: id }));
      go(pathTo(app.user_id, app.app_id, 'datasets'));
    } catch (thrown) {
      sayTrouble(thrown);
    }
  };
  const all = versions.data?.dataset_versions ?? [];
  const ready = all.filter(({ status }) => status?.code === versionReady);
  const chosen = ready.find((version) => version.id === (path[5] ?? query.get('version'))) ?? ready[0];
  const chooser = (
    <Select
      label={t('model.version')}
      choices={ready.map((version) => ({
        id: version.id ?? '',
        label: nameOf(version),
        detail: formatAgo(version.created_at),
      }))}
      value={chosen?.id}
      onChange={(version) => setQuery({ version })}
    />
  );
  return (
    <div className="page">
      <Loaded query={found}>
        {({ dataset }) => (
          <header className="page-header">
            <div>
              <h1>{dataset?.id}</h1>
              {dataset?.description && <p className="quiet">{dataset.description}</p>}
            </div>
            <div className="row">
              <Link
                className="button"
                href={`${pathTo(app.user_id, app.app_id, 'inputs')}?dataset=${encodeURIComponent(id)}`}
              >
                {t('datasets.inputs')}
              </Link>
              <Button look="primary" icon="save" isPending={isBusy} onPress={() => void snapshot()}>
                {t('datasets.snapshot')}
              </Button>
              <IconButton icon="trash" label={t('common.delete')} onPress={() => setDeleting(true)} />
            </div>
          </header>
        )}
      </Loaded>
      <Tabs
        className="tabs"
        selectedKey={query.get('tab') ?? 'versions'}
        onSelectionChange={(key) => setQuery({ tab: String(key) })}
      >
        <TabList className="tab-list" aria-label={t('model.tabs')}>
          {tabs.map((name) => (
            <Tab key={name} id={name} className="tab">
              {t(`datasets.tab.${name}`)}
            </Tab>
          ))}
        </TabList>
        <TabPanel id="versions">
          <Troubles queries={[versions]} />
          {versions.data === undefined ? null : all.length === 0 ? (
            <Empty icon="dataset" title={t('datasets.noVersion')}>
              {t('datasets.noVersionWords')}
            </Empty>
          ) : (
            <Versions datasetId={id} versions={all} />
          )}
        </TabPanel>
        <TabPanel id="charts">
          {chosen ? (
            <div className="stack">
              {chooser}
              <VersionMetrics key={chosen.id} datasetId={id} version={chosen} />
            </div>
          ) : (
            <Empty icon="dataset" title={t('datasets.noVersion')} />
          )}
        </TabPanel>
        <TabPanel id="diff">
          {ready.length > 1 ? (
            <VersionDiff datasetId={id} versions={ready} />
          ) : (
            <Empty icon="dataset" title={t('datasets.diffNeedsTwo')} />
          )}
        </TabPanel>
        <TabPanel id="leaks">
          {chosen ? (
            <div className="stack">
              {chooser}
              <Leaks key={chosen.id} datasetId={id} version={chosen} />
            </div>
          ) : (
            <Empty icon="dataset" title={t('datasets.noVersion')} />
          )}
        </TabPanel>
        <TabPanel id="export">
          <div className="stack">
            <OtherFormats datasetId={id} />
            {chosen && (
              <>
                <h2>{t('datasets.exportVersion')}</h2>
                {chooser}
                <Exports key={chosen.id} datasetId={id} version={chosen} />
              </>
            )}
          </div>
        </TabPanel>
      </Tabs>
      <Dialog
        title={t('model.deleteTitle', { name: id })}
        isOpen={isDeleting}
        onClose={() => setDeleting(false)}
        size="small"
        actions={
          <>
            <Button onPress={() => setDeleting(false)}>{t('common.cancel')}</Button>
            <Button look="danger" onPress={() => void remove()}>
              {t('common.delete')}
            </Button>
          </>
        }
      >
        <p>{t('datasets.deleteWords')}</p>
      </Dialog>
    </div>
  );
}

function Versions({ datasetId, versions }: { datasetId: string; versions: readonly DatasetVersion[] }) {
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
  const restore = async (id: string) => {
    const work = await startWork(app, datasetId, id, 'restore', { labels: true });
    say(t('datasets.restoring'));
    await waitForWork(app, datasetId, work.id);
    await refresh('ListDatasetVersions', 'GetDataset');
    say(t('datasets.restored', { kept: work.kept_version_id ?? '' }));
  };
  return (
    <div className="scroll-x">
      <table className="table">
        <thead>
          <tr>
            <th scope="col">{t('model.version')}</th>
            <th scope="col">{t('model.state')}</th>
            <th scope="col">{t('common.created')}</th>
            <th scope="col" className="number">
              {t('nav.inputs')}
            </th>
            <th scope="col" className="number">
              {t('datasets.unlabelled')}
            </th>
            <th scope="col" className="number">
              {t('datasets.regions')}
            </th>
            <td />
          </tr>
        </thead>
        <tbody>
          {versions.map((version) => {
            const metrics = version.metrics?.[''];
            const isReady = version.status?.code === versionReady;
            return (
              <tr key={version.id}>
                <th scope="row">
                  <code>{nameOf(version)}</code>
                </th>
                <td>
                  <span
                    className={`badge ${isReady ? 'good' : working.includes(version.status?.code ?? 0) ? 'warn' : 'danger'}`}
                  >
                    {isReady ? t('version.trained') : wordsOf(version.status)}
                  </span>
                </td>
                <td>{formatAgo(version.created_at)}</td>
                <td className="number">{formatNumber(Number(metrics?.inputs_count ?? 0))}</td>
                <td className="number">{formatNumber(Number(metrics?.unlabeled_inputs_count ?? 0))}</td>
                <td className="number">{formatNumber(Number(metrics?.regions_count ?? 0))}</td>
                <td>
                  <div className="row end">
                    {isReady && (
                      <IconButton
                        icon="undo"
                        label={t('datasets.restore', { name: nameOf(version) })}
                        onPress={() => void restore(version.id ?? '').catch(sayTrouble)}
                      />
                    )}
                    <IconButton
                      icon="trash"
                      label={t('datasets.deleteVersion', { name: nameOf(version) })}
                      onPress={() => void remove(version.id ?? '').catch(sayTrouble)}
                    />
                  </div>
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

const formats = [
  ['COCO', 2, 'coco'],
  ['Protobuf', 1, 'clarifai_data_protobuf'],
  ['JSON', 3, 'clarifai_data_json'],
] as const;

/** Archives of a version in the formats of the contract. */
function Exports({ datasetId, version }: { datasetId: string; version: DatasetVersion }) {
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
                  <a className="button primary" href={new URL(made.url, location.origin).pathname} download>
                    {t('datasets.download', { size: formatBytes(Number(made.size ?? 0)) })}
                  </a>
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
