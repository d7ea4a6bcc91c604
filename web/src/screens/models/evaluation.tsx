import type { EvalMetrics } from '@fovea/contract/rest';
import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { conceptName } from '../../api/media.ts';
import { formatNumber } from '../../i18n/format.ts';
import { Confusion } from './confusion.tsx';
import { Curves } from './curves.tsx';
import { EntriesDialog, type ShownEntries } from './entries.tsx';
import { PerConcept } from './per-concept.tsx';

/** More would be told apart by nobody. */
const curvesMax = 12;

/** The figures of an evaluation. Each leads to the inputs that it was made from. */
export function Evaluation({ metrics }: { metrics: EvalMetrics }) {
  const [shown, show] = useState<ShownEntries>();
  const testSet = metrics.test_set ?? [];
  const named = useMemo(
    () =>
      (metrics.binary_metrics ?? [])
        .slice(0, curvesMax)
        .map((one) => ({ name: conceptName(one.concept ?? {}), metrics: one })),
    [metrics.binary_metrics],
  );
  return (
    <div className="stack">
      <Summary metrics={metrics} />
      <PerConcept metrics={metrics} testSet={testSet} show={show} />
      <Confusion metrics={metrics} testSet={testSet} show={show} />
      <Curves named={named} />
      <EntriesDialog shown={shown} onClose={() => show(undefined)} />
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
