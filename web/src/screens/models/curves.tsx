import type { BinaryMetrics } from '@fovea/contract/rest';
import { lazy, Suspense, useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { Waiting } from '../../ui/states.tsx';

const Chart = lazy(() => import('../../ui/chart.tsx'));

const zip = (xs: readonly number[] = [], ys: readonly number[] = []) =>
  xs.map((x, i) => [x, ys[i] ?? 0] as const);

/** ROC and precision over recall, a curve for each name. */
export function Curves({
  named,
}: {
  named: readonly { readonly name: string; readonly metrics: BinaryMetrics }[];
}) {
  const { t } = useTranslation();
  const curves = useMemo(
    () => ({
      roc: named.map(({ name, metrics: { roc_curve } }) => ({
        name,
        points: zip(roc_curve?.fpr, roc_curve?.tpr),
      })),
      pr: named.map(({ name, metrics: { precision_recall_curve } }) => ({
        name,
        points: zip(precision_recall_curve?.recall, precision_recall_curve?.precision),
      })),
    }),
    [named],
  );
  const axes = useMemo(
    () => ({
      fpr: { name: t('evaluation.fpr'), min: 0, max: 1 },
      tpr: { name: t('evaluation.tpr'), min: 0, max: 1 },
      recall: { name: t('evaluation.recall'), min: 0, max: 1 },
      precision: { name: t('evaluation.precision'), min: 0, max: 1 },
    }),
    [t],
  );
  if (named.length === 0) return null;
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
