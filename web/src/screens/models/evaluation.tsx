import type { EvalMetrics, EvalTestSetEntry } from '@fovea/contract/rest';
import { lazy, Suspense, useMemo, useState } from 'react';
import { Label, Slider, SliderOutput, SliderThumb, SliderTrack } from 'react-aria-components';
import { useTranslation } from 'react-i18next';
import { conceptName, nameOf, picturePath } from '../../api/media.ts';
import { useAppName } from '../../api/queries.ts';
import { Link } from '../../app/link.tsx';
import { pathTo } from '../../app/place.ts';
import { formatNumber, formatPercent } from '../../i18n/format.ts';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Waiting } from '../../ui/states.tsx';
import { countsAt, entriesOfCell, isActual, predictedValue } from './test-set.ts';

const Chart = lazy(() => import('../../ui/chart.tsx'));

interface Shown {
  readonly title: string;
  readonly entries: readonly EvalTestSetEntry[];
}

/** The figures of an evaluation. Each leads to the inputs that it was made from. */
export function Evaluation({ metrics }: { metrics: EvalMetrics }) {
  const { t } = useTranslation();
  const [shown, show] = useState<Shown>();
  const testSet = metrics.test_set ?? [];
  return (
    <div className="stack">
      <Summary metrics={metrics} />
      <PerConcept metrics={metrics} testSet={testSet} show={show} />
      <Confusion metrics={metrics} testSet={testSet} show={show} />
      <Curves metrics={metrics} />
      <Dialog
        title={shown?.title ?? ''}
        isOpen={shown !== undefined}
        onClose={() => show(undefined)}
        size="large"
      >
        {shown?.entries.length === 0 ? (
          <p>{t('evaluation.noInputs')}</p>
        ) : (
          <Entries entries={shown?.entries ?? []} />
        )}
      </Dialog>
    </div>
  );
}

function Summary({ metrics }: { metrics: EvalMetrics }) {
  const { t } = useTranslation();
  const summary = metrics.summary ?? {};
  const tiles: readonly (readonly [string, number | undefined])[] = [
    [t('evaluation.accuracy'), summary.top1_accuracy],
    ['F1', summary.macro_avg_f1_score],
    ['ROC AUC', summary.macro_avg_roc_auc],
    [t('evaluation.precision'), summary.macro_avg_precision],
    [t('evaluation.recall'), summary.macro_avg_recall],
    ['mAP@50', summary.mean_avg_precision_iou_50],
    ['mAP@50:95', summary.mean_avg_precision_iou_range],
  ];
  return (
    <ul className="tiles plain">
      {tiles.map(([name, value]) =>
        value ? (
          <li key={name} className="card tile">
            <strong>{formatNumber(value, { maximumFractionDigits: 3 })}</strong>
            <span className="quiet">{name}</span>
          </li>
        ) : null,
      )}
    </ul>
  );
}

/** Right and wrong of each concept at a threshold that can be moved. */
function PerConcept({
  metrics,
  testSet,
  show,
}: {
  metrics: EvalMetrics;
  testSet: readonly EvalTestSetEntry[];
  show: (shown: Shown) => void;
}) {
  const { t } = useTranslation();
  const [threshold, setThreshold] = useState(0.5);
  const rows = useMemo(
    () =>
      (metrics.binary_metrics ?? []).map((binary) => ({
        binary,
        counts: countsAt(testSet, binary.concept?.id ?? '', threshold),
      })),
    [metrics.binary_metrics, testSet, threshold],
  );
  if (rows.length === 0) return null;
  const cell = (title: string, entries: readonly EvalTestSetEntry[]) => (
    <td className="number">
      <Button
        look="ghost"
        isSmall
        onPress={() => show({ title, entries })}
        aria-label={`${title}: ${entries.length}`}
      >
        {formatNumber(entries.length)}
      </Button>
    </td>
  );
  return (
    <section className="stack">
      <h2>{t('evaluation.perConcept')}</h2>
      <Slider
        minValue={0}
        maxValue={1}
        step={0.01}
        value={threshold}
        onChange={setThreshold}
        className="threshold"
      >
        <Label>{t('evaluation.threshold')}</Label> <SliderOutput>{formatPercent(threshold, 0)}</SliderOutput>
        <SliderTrack className="slider-track">
          <SliderThumb className="slider-thumb" />
        </SliderTrack>
      </Slider>
      <div className="scroll-x">
        <table className="table">
          <thead>
            <tr>
              <th scope="col">{t('evaluation.concept')}</th>
              <th scope="col" className="number">
                {t('evaluation.truePositives')}
              </th>
              <th scope="col" className="number">
                {t('evaluation.falsePositives')}
              </th>
              <th scope="col" className="number">
                {t('evaluation.falseNegatives')}
              </th>
              <th scope="col" className="number">
                {t('evaluation.precision')}
              </th>
              <th scope="col" className="number">
                {t('evaluation.recall')}
              </th>
              <th scope="col" className="number">
                ROC AUC
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ binary, counts }) => {
              const name = conceptName(binary.concept ?? {});
              const { truePositives, falsePositives, falseNegatives } = counts;
              const predicted = truePositives.length + falsePositives.length;
              const actual = truePositives.length + falseNegatives.length;
              return (
                <tr key={binary.concept?.id}>
                  <th scope="row">{name}</th>
                  {cell(`${name} · ${t('evaluation.truePositives')}`, truePositives)}
                  {cell(`${name} · ${t('evaluation.falsePositives')}`, falsePositives)}
                  {cell(`${name} · ${t('evaluation.falseNegatives')}`, falseNegatives)}
                  <td className="number">
                    {predicted ? formatPercent(truePositives.length / predicted) : '–'}
                  </td>
                  <td className="number">{actual ? formatPercent(truePositives.length / actual) : '–'}</td>
                  <td className="number">
                    {formatNumber(binary.roc_auc ?? 0, { maximumFractionDigits: 3 })}
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </section>
  );
}

/** Rows are what was there, columns what was predicted; a cell opens its inputs. */
function Confusion({
  metrics,
  testSet,
  show,
}: {
  metrics: EvalMetrics;
  testSet: readonly EvalTestSetEntry[];
  show: (shown: Shown) => void;
}) {
  const { t } = useTranslation();
  const matrix = metrics.confusion_matrix?.matrix ?? [];
  const ids = useMemo(
    () =>
      metrics.confusion_matrix?.concept_ids?.length
        ? metrics.confusion_matrix.concept_ids
        : [...new Set(matrix.map(({ actual = '' }) => actual))],
    [metrics.confusion_matrix, matrix],
  );
  const names = new Map(
    matrix.flatMap(({ actual_concept, predicted_concept }) =>
      [actual_concept, predicted_concept].flatMap((concept) =>
        concept ? [[concept.id ?? '', conceptName(concept)] as const] : [],
      ),
    ),
  );
  const values = new Map(
    matrix.map((entry) => [
      `${entry.actual_concept?.id ?? entry.actual} ${entry.predicted_concept?.id ?? entry.predicted}`,
      entry.value ?? 0,
    ]),
  );
  if (matrix.length === 0) return null;
  return (
    <section className="stack">
      <h2>{t('evaluation.confusion')}</h2>
      <p className="quiet small">{t('evaluation.confusionWords')}</p>
      <div className="scroll-x">
        <table className="confusion">
          <thead>
            <tr>
              <td />
              {ids.map((id) => (
                <th key={id} scope="col">
                  <span>{names.get(id) ?? id}</span>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {ids.map((actual) => (
              <tr key={actual}>
                <th scope="row">{names.get(actual) ?? actual}</th>
                {ids.map((predicted) => {
                  const value = values.get(`${actual} ${predicted}`) ?? 0;
                  const title = t('evaluation.cell', {
                    actual: names.get(actual) ?? actual,
                    predicted: names.get(predicted) ?? predicted,
                  });
                  return (
                    <td
                      key={predicted}
                      className={actual === predicted ? 'right' : 'wrong'}
                      style={{ '--share': value } as React.CSSProperties}
                    >
                      <button
                        type="button"
                        aria-label={`${title}: ${formatPercent(value, 0)}`}
                        onClick={() => show({ title, entries: entriesOfCell(testSet, actual, predicted) })}
                      >
                        {formatPercent(value, 0)}
                      </button>
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Curves({ metrics }: { metrics: EvalMetrics }) {
  const { t } = useTranslation();
  const curves = useMemo(() => {
    const binary = (metrics.binary_metrics ?? []).slice(0, 12);
    const zip = (xs: readonly number[] = [], ys: readonly number[] = []) =>
      xs.map((x, i) => [x, ys[i] ?? 0] as const);
    return {
      roc: binary.map(({ concept, roc_curve }) => ({
        name: conceptName(concept ?? {}),
        points: zip(roc_curve?.fpr, roc_curve?.tpr),
      })),
      pr: binary.map(({ concept, precision_recall_curve }) => ({
        name: conceptName(concept ?? {}),
        points: zip(precision_recall_curve?.recall, precision_recall_curve?.precision),
      })),
    };
  }, [metrics.binary_metrics]);
  const axes = useMemo(
    () => ({
      fpr: { name: t('evaluation.fpr'), min: 0, max: 1 },
      tpr: { name: t('evaluation.tpr'), min: 0, max: 1 },
      recall: { name: t('evaluation.recall'), min: 0, max: 1 },
      precision: { name: t('evaluation.precision'), min: 0, max: 1 },
    }),
    [t],
  );
  if (curves.roc.length === 0) return null;
  return (
    <Suspense fallback={<Waiting />}>
      <div className="two-columns">
        <section className="card">
          <h2>{t('evaluation.roc')}</h2>
          <Chart label={t('evaluation.roc')} curves={curves.roc} x={axes.fpr} y={axes.tpr} />
        </section>
        <section className="card">
          <h2>{t('evaluation.pr')}</h2>
          <Chart label={t('evaluation.pr')} curves={curves.pr} x={axes.recall} y={axes.precision} />
        </section>
      </div>
    </Suspense>
  );
}

function Entries({ entries }: { entries: readonly EvalTestSetEntry[] }) {
  const { t } = useTranslation();
  const app = useAppName();
  return (
    <ul className="plain entry-list">
      {entries.slice(0, 300).map((entry) => {
        const path = picturePath(entry.input?.data, 'small');
        const actual = (entry.ground_truth_concepts ?? []).filter(isActual).map(conceptName).join(', ');
        const best = (entry.predicted_concepts ?? []).toSorted(
          (a, b) => predictedValue(b) - predictedValue(a),
        )[0];
        return (
          <li key={entry.input?.id}>
            <Link href={pathTo(app.user_id, app.app_id, 'inputs', entry.input?.id ?? '')}>
              {path ? (
                <img src={path} alt={nameOf(entry.input ?? {})} loading="lazy" />
              ) : (
                nameOf(entry.input ?? {})
              )}
            </Link>
            <p className="small">{t('evaluation.was', { concepts: actual || '–' })}</p>
            {best && (
              <p className="small quiet">
                {conceptName(best)} {formatPercent(predictedValue(best), 0)}
              </p>
            )}
          </li>
        );
      })}
    </ul>
  );
}
