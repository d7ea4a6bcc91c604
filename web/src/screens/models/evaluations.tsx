import type { EvalMetrics, Model } from '@fovea/contract/rest';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { rpc } from '../../api/client.ts';
import { refresh, useAppName, useRpc } from '../../api/queries.ts';
import { code, wordsOf } from '../../api/trouble.ts';
import { setQuery, usePlace } from '../../app/place.ts';
import { formatAgo } from '../../i18n/format.ts';
import { Button } from '../../ui/button.tsx';
import { Select } from '../../ui/fields.tsx';
import { sayTrouble } from '../../ui/notices.tsx';
import { Empty, Loaded, TroubleNote } from '../../ui/states.tsx';
import { Evaluation } from './evaluation.tsx';
import { isTrained } from './version-badge.tsx';

const everything = '*';
const running = [21301, 21303];

const isRunning = (metrics: EvalMetrics | undefined): boolean => running.includes(metrics?.status?.code ?? 0);

/** How good a model is, on a dataset or on all labels of the app. */
export function Evaluations({ model }: { model: Model }) {
  const { t } = useTranslation();
  const app = useAppName();
  const { query } = usePlace();
  const version = model.model_version;
  const datasets = useRpc('ListDatasets', { user_app_id: app, per_page: 100 });
  const [dataset, setDataset] = useState(everything);
  const [isBusy, setBusy] = useState(false);
  const found = useRpc(
    'ListModelVersionEvaluations',
    {
      user_app_id: app,
      model_id: model.id ?? '',
      model_version_id: version?.id ?? '',
      per_page: 50,
      fovea_times: true,
    },
    {
      enabled: isTrained(version),
      everyMs: (data) => ((data?.eval_metrics ?? []).some(isRunning) ? 800 : false),
    },
  );
  const evaluate = async () => {
    setBusy(true);
    try {
      const { eval_metrics = [] } = await rpc('PostEvaluations', {
        user_app_id: app,
        eval_metrics: [
          {
            model: { id: model.id ?? '', ...app, model_version: { id: version?.id ?? '' } },
            ...(dataset === everything ? {} : { ground_truth_dataset: { id: dataset, ...app } }),
          },
        ],
      });
      await refresh('ListModelVersionEvaluations', 'ListEvaluations');
      setQuery({ evaluation: eval_metrics[0]?.id });
    } catch (thrown) {
      sayTrouble(thrown);
    } finally {
      setBusy(false);
    }
  };
  if (!isTrained(version)) return <Empty icon="model" title={t('evaluation.notTrained')} />;
  const form = (
    <div className="row">
      <Select
        label={t('evaluation.on')}
        hideLabel
        choices={[
          { id: everything, label: t('train.everything') },
          ...(datasets.data?.datasets ?? []).map(({ id = '' }) => ({ id, label: id })),
        ]}
        value={dataset}
        onChange={setDataset}
      />
      <Button look="primary" isPending={isBusy} onPress={() => void evaluate()}>
        {t('evaluation.start')}
      </Button>
    </div>
  );
  return (
    <div className="stack">
      {form}
      <Loaded query={found}>
        {({ eval_metrics = [] }) => {
          const chosen = eval_metrics.find(({ id }) => id === query.get('evaluation')) ?? eval_metrics[0];
          if (!chosen) return <Empty icon="model" title={t('evaluation.none')} />;
          return (
            <>
              {eval_metrics.length > 1 && (
                <Select
                  label={t('evaluation.which')}
                  choices={eval_metrics.map((metrics) => ({
                    id: metrics.id ?? '',
                    label: `${metrics.ground_truth_dataset?.id ?? t('train.everything')} · ${formatAgo(metrics.fovea_created_at)}`,
                    detail: wordsOf(metrics.status),
                  }))}
                  value={chosen.id}
                  onChange={(evaluation) => setQuery({ evaluation })}
                />
              )}
              <Result chosen={chosen} />
            </>
          );
        }}
      </Loaded>
    </div>
  );
}

function Result({ chosen }: { chosen: EvalMetrics }) {
  const app = useAppName();
  const isDone = chosen.status?.code === code.evaluated;
  const found = useRpc(
    'GetEvaluation',
    {
      user_app_id: app,
      evaluation_id: chosen.id ?? '',
      fields: {
        confusion_matrix: true,
        cooccurrence_matrix: true,
        label_counts: true,
        binary_metrics: true,
        test_set: true,
        metrics_by_area: true,
        metrics_by_class: true,
      },
    },
    { enabled: isDone },
  );
  if (isRunning(chosen))
    return (
      <div className="card stack" role="status">
        <p className="strong">{wordsOf(chosen.status)}</p>
        <div className="progress">
          <span style={{ width: `${chosen.status?.percent_completed ?? 0}%` }} />
        </div>
      </div>
    );
  if (!isDone) return <p className="note danger">{wordsOf(chosen.status)}</p>;
  if (found.error) return <TroubleNote thrown={found.error} retry={() => void found.refetch()} />;
  return (
    <Loaded query={found}>{({ eval_metrics }) => <Evaluation metrics={eval_metrics ?? chosen} />}</Loaded>
  );
}
