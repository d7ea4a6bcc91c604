import type { EvalMetrics, EvalTestSetEntry } from '@fovea/contract/rest';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { conceptName } from '../../api/media.ts';
import { formatPercent } from '../../i18n/format.ts';
import type { ShownEntries } from './entries.tsx';
import { entriesOfCell } from './test-set.ts';

/** Rows are what was there, columns what was predicted; a cell opens its inputs. */
export function Confusion({
  metrics,
  testSet,
  show,
}: {
  metrics: EvalMetrics;
  testSet: readonly EvalTestSetEntry[];
  show: (shown: ShownEntries) => void;
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
