import type { EvalMetrics, EvalTestSetEntry } from '@fovea/contract/rest';
import { useMemo, useState } from 'react';
import { Label, Slider, SliderOutput, SliderThumb, SliderTrack } from 'react-aria-components';
import { useTranslation } from 'react-i18next';
import { conceptName } from '../../api/media.ts';
import { formatNumber, formatPercent } from '../../i18n/format.ts';
import { Button } from '../../ui/button.tsx';
import { numberColumn, Table } from '../../ui/table.tsx';
import type { ShownEntries } from './entries.tsx';
import { countsAt } from './test-set.ts';

/** Right and wrong of each concept at a threshold that can be moved. */
export function PerConcept({
  metrics,
  testSet,
  show,
}: {
  metrics: EvalMetrics;
  testSet: readonly EvalTestSetEntry[];
  show: (shown: ShownEntries) => void;
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
      <Table
        columns={[
          t('evaluation.concept'),
          numberColumn(t('evaluation.truePositives')),
          numberColumn(t('evaluation.falsePositives')),
          numberColumn(t('evaluation.falseNegatives')),
          numberColumn(t('evaluation.precision')),
          numberColumn(t('evaluation.recall')),
          numberColumn('ROC AUC'),
        ]}
      >
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
              <td className="number">{predicted ? formatPercent(truePositives.length / predicted) : '–'}</td>
              <td className="number">{actual ? formatPercent(truePositives.length / actual) : '–'}</td>
              <td className="number">{formatNumber(binary.roc_auc ?? 0, { maximumFractionDigits: 3 })}</td>
            </tr>
          );
        })}
      </Table>
    </section>
  );
}
