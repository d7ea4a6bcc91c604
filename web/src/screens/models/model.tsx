import type { Model as ModelMessage, ModelVersion } from '@fovea/contract/rest';
import { useState } from 'react';
import { Tab, TabList, TabPanel, Tabs } from 'react-aria-components';
import { useTranslation } from 'react-i18next';
import { rpc } from '../../api/client.ts';
import { conceptName } from '../../api/media.ts';
import { refresh, useAppName, useRpc } from '../../api/queries.ts';
import { wordsOf } from '../../api/trouble.ts';
import { Link } from '../../app/link.tsx';
import { go, pathTo, setQuery, usePlace } from '../../app/place.ts';
import { formatAgo, formatDate, formatNumber } from '../../i18n/format.ts';
import { Button } from '../../ui/button.tsx';
import { DeleteButton } from '../../ui/delete-button.tsx';
import { say } from '../../ui/notices.tsx';
import { Loaded } from '../../ui/states.tsx';
import { numberColumn, Table } from '../../ui/table.tsx';
import { Compare } from './compare.tsx';
import { Evaluations } from './evaluations.tsx';
import { ModelExport } from './model-export.tsx';
import { TrainDialog } from './train-dialog.tsx';
import { TryIt } from './try-it.tsx';
import { isTrained, isTraining, isUntrained, VersionBadge } from './version-badge.tsx';

const tabs = ['overview', 'evaluation', 'compare', 'try', 'versions'] as const;

/** One model: what it is, how good it is, what it says of a picture, and its versions. */
export default function Model() {
  const { t } = useTranslation();
  const app = useAppName();
  const { path, query } = usePlace();
  const modelId = path[3] ?? '';
  const versionId = path[4] === 'versions' ? path[5] : undefined;
  const found = useRpc(
    'GetModel',
    { user_app_id: app, model_id: modelId, ...(versionId ? { version_id: versionId } : {}) },
    { everyMs: (data) => (isTraining(data?.model?.model_version) ? 700 : false) },
  );
  const tab = query.get('tab') ?? 'overview';
  return (
    <div className="page">
      <Loaded query={found}>
        {({ model = {} }) => (
          <>
            <Header model={model} />
            <Tabs
              className="tabs"
              selectedKey={tab}
              onSelectionChange={(key) => setQuery({ tab: String(key) })}
            >
              <TabList className="tab-list" aria-label={t('model.tabs')}>
                {tabs.map((name) => (
                  <Tab key={name} id={name} className="tab">
                    {t(`model.tab.${name}`)}
                  </Tab>
                ))}
              </TabList>
              <TabPanel id="overview">
                <Overview model={model} />
              </TabPanel>
              <TabPanel id="evaluation">
                <Evaluations model={model} />
              </TabPanel>
              <TabPanel id="compare">
                <Compare model={model} />
              </TabPanel>
              <TabPanel id="try">
                <TryIt model={model} />
              </TabPanel>
              <TabPanel id="versions">
                <Versions model={model} />
              </TabPanel>
            </Tabs>
          </>
        )}
      </Loaded>
    </div>
  );
}

function Header({ model }: { model: ModelMessage }) {
  const { t } = useTranslation();
  const app = useAppName();
  const types = useRpc('ListModelTypes', { user_app_id: app, per_page: 500 });
  const isTrainable = types.data?.model_types?.some(
    ({ id, trainable }) => id === model.model_type_id && trainable,
  );
  const [isTrainOpen, setTrainOpen] = useState(false);
  const remove = async () => {
    await rpc('DeleteModel', { user_app_id: app, model_id: model.id ?? '' });
    await refresh('ListModels', 'GetResourceCounts');
    say(t('model.deleted', { name: model.name || model.id }));
    go(pathTo(app.user_id, app.app_id, 'models'));
  };
  return (
    <header className="page-header">
      <div>
        <h1>{model.name || model.id}</h1>
        <p className="row small">
          <span className="badge">{model.model_type_id}</span>
          <VersionBadge version={model.model_version} />
        </p>
      </div>
      <div className="row">
        {isTrainable && (
          <Button look="primary" icon="model" onPress={() => setTrainOpen(true)}>
            {t('model.trainAgain')}
          </Button>
        )}
        <DeleteButton
          label={t('common.delete')}
          title={t('model.deleteTitle', { name: model.name || model.id })}
          act={remove}
        >
          <p>{t('model.deleteWords')}</p>
        </DeleteButton>
      </div>
      <TrainDialog
        isOpen={isTrainOpen}
        onClose={() => setTrainOpen(false)}
        modelId={model.id ?? ''}
        modelTypeId={model.model_type_id ?? ''}
      />
    </header>
  );
}

function Overview({ model }: { model: ModelMessage }) {
  const { t } = useTranslation();
  const app = useAppName();
  const version = model.model_version;
  const concepts = useRpc(
    'ListModelConcepts',
    {
      user_app_id: app,
      model_id: model.id ?? '',
      ...(version?.id ? { version_id: version.id } : {}),
      per_page: 500,
    },
    { enabled: isTrained(version) },
  );
  const facts: readonly (readonly [string, string | undefined])[] = [
    [t('common.description'), model.description],
    [t('model.notes'), model.notes],
    [t('model.version'), version?.id],
    [t('model.state'), wordsOf(version?.status)],
    [t('common.created'), formatDate(version?.created_at)],
    [t('model.completed'), formatDate(version?.completed_at)],
    [
      t('model.learntFrom'),
      version?.total_input_count
        ? t('gallery.count', {
            count: version.total_input_count,
            formatted: formatNumber(version.total_input_count),
          })
        : undefined,
    ],
    [t('model.license'), version?.license],
  ];
  return (
    <div className="stack">
      {isTraining(version) && <Training version={version} />}
      <dl className="facts card">
        {facts.map(([name, words]) =>
          words ? (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{words}</dd>
            </div>
          ) : null,
        )}
      </dl>
      {(concepts.data?.concepts?.length ?? 0) > 0 && (
        <section>
          <h2>{t('model.concepts', { count: concepts.data?.concepts?.length ?? 0 })}</h2>
          <ul className="plain row">
            {concepts.data?.concepts?.slice(0, 200).map((concept) => (
              <li key={concept.id} className="chip">
                {conceptName(concept)}
              </li>
            ))}
          </ul>
        </section>
      )}
      {version?.train_log && (
        <p>
          <a
            href={
              new URL(version.train_log, location.origin).pathname +
              new URL(version.train_log, location.origin).search
            }
          >
            {t('model.log')}
          </a>
        </p>
      )}
      {isTrained(version) && <ModelExport model={model} />}
    </div>
  );
}

/** A training as it goes: how far, and how long still. */
export function Training({ version }: { version: ModelVersion | undefined }) {
  const { t } = useTranslation();
  const percent = version?.status?.percent_completed ?? 0;
  const seconds = version?.status?.time_remaining;
  return (
    <div className="card stack" role="status">
      <p className="strong">{wordsOf(version?.status)}</p>
      <div
        className="progress"
        role="progressbar"
        aria-label={t('version.training')}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={percent}
      >
        <span style={{ width: `${percent}%` }} />
      </div>
      {seconds ? (
        <p className="quiet small">{t('version.left', { seconds: formatNumber(seconds) })}</p>
      ) : null}
    </div>
  );
}

function Versions({ model }: { model: ModelMessage }) {
  const { t } = useTranslation();
  const app = useAppName();
  const found = useRpc('ListModelVersions', { user_app_id: app, model_id: model.id ?? '', per_page: 200 });
  const evaluations = useRpc('ListEvaluations', {
    user_app_id: app,
    per_page: 100,
    sort_by_created_at: true,
  });
  /** What the newest finished evaluation of a version says. */
  const summaryOf = (version: ModelVersion) =>
    evaluations.data?.eval_metrics?.find(
      (one) => one.summary && one.model?.id === model.id && one.model?.model_version?.id === version.id,
    )?.summary ?? version.metrics?.summary;
  return (
    <Loaded query={found}>
      {({ model_versions = [] }) => (
        <Table
          columns={[
            t('model.version'),
            t('model.state'),
            { head: t('common.created'), isSpare: true },
            numberColumn('F1'),
            numberColumn('ROC AUC'),
          ]}
        >
          {model_versions.map((version) => (
            <tr key={version.id}>
              <td>
                <Link
                  href={pathTo(
                    app.user_id,
                    app.app_id,
                    'models',
                    model.id ?? '',
                    'versions',
                    version.id ?? '',
                  )}
                >
                  <code>{version.id?.slice(0, 10)}</code>
                </Link>{' '}
                {version.description}
                {isUntrained(version) && <span className="quiet small">{t('version.neverTrained')}</span>}
              </td>
              <td>{isUntrained(version) ? '–' : <VersionBadge version={version} />}</td>
              <td className="when spare">{formatAgo(version.created_at)}</td>
              <td className="number">{shown(summaryOf(version)?.macro_avg_f1_score)}</td>
              <td className="number">{shown(summaryOf(version)?.macro_avg_roc_auc)}</td>
            </tr>
          ))}
        </Table>
      )}
    </Loaded>
  );
}

const shown = (value: number | undefined): string =>
  value === undefined ? '' : formatNumber(value, { maximumFractionDigits: 3 });
