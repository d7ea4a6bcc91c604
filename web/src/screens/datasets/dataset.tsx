import { useState } from 'react';
import { Tab, TabList, TabPanel, Tabs } from 'react-aria-components';
import { useTranslation } from 'react-i18next';
import { rpc } from '../../api/client.ts';
import { refresh, useAppName, useRpc } from '../../api/queries.ts';
import { Link } from '../../app/link.tsx';
import { go, pathTo, setQuery, usePlace } from '../../app/place.ts';
import { formatAgo, formatNumber } from '../../i18n/format.ts';
import { Button } from '../../ui/button.tsx';
import { DeleteButton } from '../../ui/delete-button.tsx';
import { Select } from '../../ui/fields.tsx';
import { say, sayTrouble } from '../../ui/notices.tsx';
import { Empty, Loaded, Troubles } from '../../ui/states.tsx';
import { Exports } from './exports.tsx';
import { Leaks } from './leaks.tsx';
import { OtherFormats } from './other-formats.tsx';
import { VersionDiff } from './version-diff.tsx';
import { VersionMetrics } from './version-metrics.tsx';
import { firstOf, nameOf } from './version-name.ts';
import { isMaking, isReady, Versions } from './versions.tsx';

const tabs = ['versions', 'charts', 'diff', 'leaks', 'export'] as const;

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
      everyMs: (data) => ((data?.dataset_versions ?? []).some(isMaking) ? 800 : false),
    },
  );
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
    await rpc('DeleteDatasets', { user_app_id: app, dataset_ids: [id] });
    await refresh('ListDatasets', 'GetResourceCounts');
    say(t('datasets.deleted', { name: id }));
    go(pathTo(app.user_id, app.app_id, 'datasets'));
  };
  const all = versions.data?.dataset_versions ?? [];
  const ready = all.filter(isReady);
  const chosen = ready.find((version) => version.id === (path[5] ?? query.get('version'))) ?? firstOf(ready);
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
              <DeleteButton
                label={t('common.delete')}
                title={t('model.deleteTitle', { name: id })}
                act={remove}
              >
                <p>{t('datasets.deleteWords', { versions: formatNumber(all.length) })}</p>
              </DeleteButton>
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
            <OtherFormats datasetId={id} versions={ready} />
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
    </div>
  );
}
