import type { EvalMetrics, MetricsSummary, Model } from '@fovea/contract/rest';
import { useQueries } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { rpc } from '../../api/client.ts';
import { keyOf, useAppName, useRpc } from '../../api/queries.ts';
import { code } from '../../api/trouble.ts';
import { setQuery, usePlace } from '../../app/place.ts';
import { formatAgo, formatDate, formatNumber } from '../../i18n/format.ts';
import { Button } from '../../ui/button.tsx';
import { Checkbox, Select } from '../../ui/fields.tsx';
import { Empty, Loaded, TroubleNote, Waiting } from '../../ui/states.tsx';
import { numberColumn, Table } from '../../ui/table.tsx';
import { type ChangedInput, changedInputs, conceptsOf, summariesOf } from './comparison.ts';
import { Curves } from './curves.tsx';
import { EntriesDialog, type ShownEntries } from './entries.tsx';

const atOnceMax = 5;

/** Evaluations side by side: of versions of a model, or of this one and others of the app. */
export function Compare({ model }: { model: Model }) {
  const { t } = useTranslation();
  const app = useAppName();
  const { query } = usePlace();
  const found = useRpc('ListEvaluations', {
    user_app_id: app,
    per_page: 100,
    sort_by_created_at: true,
    fovea_times: true,
  });
  return (
    <Loaded query={found}>
      {({ eval_metrics = [] }) => {
        const done = eval_metrics.filter(
          ({ status, model: of }) =>
            status?.code === code.evaluated && of?.model_type_id === model.model_type_id,
        );
        if (done.length < 2)
          return (
            <Empty icon="model" title={t('compare.needsTwo')}>
              {t('compare.needsTwoWords')}
            </Empty>
          );
        const own = done.filter((one) => one.model?.id === model.id);
        const usual = [...own, ...done.filter((one) => !own.includes(one))].slice(0, 2).toReversed();
        const asked = (query.get('compare') ?? '').split(',');
        const wanted = asked.flatMap((id) => done.find((one) => one.id === id) ?? []);
        const chosen = wanted.length > 0 ? wanted : usual;
        const choose = (next: readonly EvalMetrics[]) =>
          setQuery({ compare: next.map(({ id }) => id).join(',') });
        return (
          <div className="stack">
            <details className="card" open={chosen.length < 2}>
              <summary>{t('compare.choose')}</summary>
              <ul className="plain stack">
                {done.map((one) => (
                  <li key={one.id}>
                    <Checkbox
                      label={
                        <span>
                          {nameOf(one)} <span className="quiet small">{whereOf(one, t)}</span>
                        </span>
                      }
                      isSelected={chosen.includes(one)}
                      isDisabled={!chosen.includes(one) && chosen.length >= atOnceMax}
                      onChange={(on) =>
                        choose(on ? [...chosen, one] : chosen.filter((other) => other !== one))
                      }
                    />
                  </li>
                ))}
              </ul>
            </details>
            {chosen.length > 1 && <SideBySide key={chosen.map(({ id }) => id).join()} chosen={chosen} />}
          </div>
        );
      }}
    </Loaded>
  );
}

const nameOf = ({ model, ground_truth_dataset }: EvalMetrics): string =>
  [
    model?.name || model?.id,
    model?.model_version?.id?.slice(0, 8),
    ...(ground_truth_dataset?.id ? [ground_truth_dataset.id] : []),
  ].join(' · ');

const timeOf = (one: EvalMetrics | undefined) =>
  one?.fovea_created_at ? { fovea_created_at: one.fovea_created_at } : {};

/** A name that no other of these has: one version may be judged twice by the same inputs. */
const nameAmong = (evaluations: readonly EvalMetrics[], one: EvalMetrics): string => {
  const name = nameOf(one);
  const isShared = evaluations.some((other) => other.id !== one.id && nameOf(other) === name);
  return isShared ? `${name} · ${formatDate(one.fovea_created_at, 'medium')}` : name;
};

const whereOf = (one: EvalMetrics, t: (key: string) => string): string =>
  [one.ground_truth_dataset?.id ?? t('train.everything'), formatAgo(one.fovea_created_at)].join(' · ');

const fields = { binary_metrics: true, test_set: true, metrics_by_class: true };

function SideBySide({ chosen }: { chosen: readonly EvalMetrics[] }) {
  const { t } = useTranslation();
  const app = useAppName();
  const requests = chosen.map(({ id = '' }) => ({ user_app_id: app, evaluation_id: id, fields }));
  const found = useQueries({
    queries: requests.map((request) => ({
      queryKey: keyOf('GetEvaluation', request),
      queryFn: () => rpc('GetEvaluation', request),
    })),
  });
  const failed = found.find(({ error }) => error);
  if (failed) return <TroubleNote thrown={failed.error} retry={() => void failed.refetch()} />;
  // When each was asked for is said in lists alone.
  const whole = found.flatMap(({ data }, i) =>
    data?.eval_metrics ? { ...data.eval_metrics, ...timeOf(chosen[i]) } : [],
  );
  if (whole.length < chosen.length) return <Waiting />;
  const sets = new Set(whole.map(({ ground_truth_dataset }) => ground_truth_dataset?.id ?? ''));
  return (
    <>
      {sets.size > 1 && <p className="note">{t('compare.otherSets')}</p>}
      <Figures evaluations={whole} />
      <ChangedImages evaluations={whole} />
      <ByConcept evaluations={whole} />
      <CurvesOfConcept evaluations={whole} />
    </>
  );
}

const columnsOf = (evaluations: readonly EvalMetrics[], first: string) => [
  first,
  ...evaluations.map((one) => numberColumn(nameAmong(evaluations, one))),
];

const summaryNames: Readonly<Record<string, string>> = {
  macro_avg_f1_score: 'F1',
  macro_avg_roc_auc: 'ROC AUC',
  mean_avg_precision_iou_50: 'mAP@50',
  mean_avg_precision_iou_range: 'mAP@50:95',
};
const summaryKeys: Readonly<Record<string, string>> = {
  top1_accuracy: 'evaluation.accuracy',
  macro_avg_precision: 'evaluation.precision',
  macro_avg_recall: 'evaluation.recall',
};

function Figures({ evaluations }: { evaluations: readonly EvalMetrics[] }) {
  const { t } = useTranslation();
  const said = (name: keyof MetricsSummary) => summaryNames[name] ?? t(summaryKeys[name] ?? '');
  return (
    <section className="stack">
      <h2>{t('compare.figures')}</h2>
      <p className="quiet small">{t('compare.firstWords')}</p>
      <Table columns={columnsOf(evaluations, t('compare.figure'))}>
        {summariesOf(evaluations).map(({ name, values }) => (
          <tr key={name}>
            <th scope="row">{said(name)}</th>
            <Values values={values} />
          </tr>
        ))}
      </Table>
    </section>
  );
}

/** Figures in a row, all but the first with what they differ from it. */
function Values({ values }: { values: readonly (number | undefined)[] }) {
  const [first] = values;
  return values.map((value, i) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: columns do not move
    <td key={i} className="number">
      {value === undefined ? '–' : formatNumber(value, { maximumFractionDigits: 3 })}
      {i > 0 && value !== undefined && first !== undefined && <Delta by={value - first} />}
    </td>
  ));
}

function Delta({ by }: { by: number }) {
  const rounded = Math.round(by * 1000) / 1000;
  const look = rounded > 0 ? 'good' : rounded < 0 ? 'danger' : '';
  return (
    <span className={`badge delta ${look}`}>
      {formatNumber(rounded, { maximumFractionDigits: 3, signDisplay: 'exceptZero' })}
    </span>
  );
}

/** Inputs of which a later evaluation says something else than the first; a number opens them. */
function ChangedImages({ evaluations }: { evaluations: readonly EvalMetrics[] }) {
  const { t } = useTranslation();
  const [shown, show] = useState<ShownEntries>();
  const [first] = evaluations;
  const changes = useMemo(() => {
    const [before, ...others] = evaluations;
    return others.map((one) => ({ one, ...changedInputs(before?.test_set ?? [], one.test_set ?? []) }));
  }, [evaluations]);
  const open = (title: string, changed: readonly ChangedInput[]) =>
    show({
      title,
      entries: changed.flatMap(({ after }) => after.slice(0, 1)),
      before: changed.flatMap(({ before }) => before.slice(0, 1)),
    });
  return (
    <section className="stack">
      <h2>{t('compare.changed')}</h2>
      <Table
        columns={[
          t('compare.against', { name: first ? nameAmong(evaluations, first) : '' }),
          numberColumn(t('compare.better')),
          numberColumn(t('compare.worse')),
          numberColumn(t('compare.other')),
          numberColumn(t('compare.common')),
        ]}
      >
        {changes.map(({ one, better, worse, other, common }) => (
          <tr key={one.id}>
            <th scope="row">{nameAmong(evaluations, one)}</th>
            {(
              [
                ['better', better],
                ['worse', worse],
                ['other', other],
              ] as const
            ).map(([kind, changed]) => {
              const title = `${nameAmong(evaluations, one)} · ${t(`compare.${kind}`)}`;
              return (
                <td key={kind} className="number">
                  <Button
                    look="ghost"
                    isSmall
                    aria-label={`${title}: ${changed.length}`}
                    onPress={() => open(title, changed)}
                  >
                    {formatNumber(changed.length)}
                  </Button>
                </td>
              );
            })}
            <td className="number">{formatNumber(common)}</td>
          </tr>
        ))}
      </Table>
      <EntriesDialog shown={shown} onClose={() => show(undefined)} />
    </section>
  );
}

const perConcept = [
  ['f1', 'F1'],
  ['roc_auc', 'ROC AUC'],
  ['avg_precision', 'AP'],
] as const;

function ByConcept({ evaluations }: { evaluations: readonly EvalMetrics[] }) {
  const { t } = useTranslation();
  const [figure, setFigure] = useState<(typeof perConcept)[number][0]>('f1');
  const concepts = useMemo(() => conceptsOf(evaluations), [evaluations]);
  if (concepts.length === 0) return null;
  return (
    <section className="stack">
      <h2>{t('evaluation.perConcept')}</h2>
      <Select
        label={t('compare.figure')}
        choices={perConcept.map(([id, label]) => ({ id, label }))}
        value={figure}
        onChange={(id) => setFigure(id as typeof figure)}
      />
      <Table columns={columnsOf(evaluations, t('evaluation.concept'))}>
        {concepts.map(({ id, name, metrics }) => (
          <tr key={id}>
            <th scope="row">{name}</th>
            <Values values={metrics.map((one) => one?.[figure])} />
          </tr>
        ))}
      </Table>
    </section>
  );
}

/** The curves of one concept, one for each evaluation, over each other. */
function CurvesOfConcept({ evaluations }: { evaluations: readonly EvalMetrics[] }) {
  const { t } = useTranslation();
  const concepts = useMemo(() => conceptsOf(evaluations), [evaluations]);
  const [id, choose] = useState(concepts[0]?.id);
  const named = useMemo(
    () =>
      (concepts.find((concept) => concept.id === id)?.metrics ?? []).flatMap((metrics, i) =>
        metrics ? [{ name: nameAmong(evaluations, evaluations[i] ?? {}), metrics }] : [],
      ),
    [concepts, id, evaluations],
  );
  if (concepts.length === 0) return null;
  return (
    <section className="stack">
      <Select
        label={t('compare.curvesOf')}
        choices={concepts.map(({ id: concept, name }) => ({ id: concept, label: name }))}
        value={id}
        onChange={choose}
      />
      <Curves named={named} />
    </section>
  );
}
