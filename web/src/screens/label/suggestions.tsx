import { useState } from 'react';
import { Label, Slider, SliderOutput, SliderThumb, SliderTrack } from 'react-aria-components';
import { useTranslation } from 'react-i18next';
import type { AppName } from '../../api/queries.ts';
import { conceptRefOf } from '../../canvas/annotations.ts';
import type { Editor } from '../../canvas/editor.ts';
import type { EditorState } from '../../canvas/editor-state.ts';
import { formatPercent } from '../../i18n/format.ts';
import { Button } from '../../ui/button.tsx';
import { Select } from '../../ui/fields.tsx';
import { sayTrouble } from '../../ui/notices.tsx';
import { Troubles } from '../../ui/states.tsx';
import { askModel, choiceOf, type Suggested, useModelsOf } from './ask-model.ts';

const finders = ['visual-detector', 'visual-segmenter', 'visual-classifier', 'embedding-classifier'];

/** What a model thinks is there: dashed until taken, all above a chosen value at once. */
export function Suggestions({ editor, state, app }: { editor: Editor; state: EditorState; app: AppName }) {
  const { t } = useTranslation();
  const { models, queries } = useModelsOf(app, finders);
  const [chosen, choose] = useState<string>();
  const [found, setFound] = useState<readonly Suggested[]>([]);
  const [labels, setLabels] = useState<readonly { id: string; name: string; value: number }[]>([]);
  const [valueMin, setValueMin] = useState(0.5);
  const [isBusy, setBusy] = useState(false);
  const show = (all: readonly Suggested[], min: number) =>
    editor.suggest(all.filter(({ value }) => value >= min).map(({ shape }) => shape));
  const ask = async () => {
    const model = models.find((one) => choiceOf(one) === chosen);
    if (!model) return;
    setBusy(true);
    try {
      const { shapes: all, concepts } = await askModel(model, editor);
      setFound(all);
      setLabels(concepts.map((concept) => ({ ...conceptRefOf(concept), value: concept.value ?? 0 })));
      show(all, valueMin);
    } catch (thrown) {
      sayTrouble(thrown);
    } finally {
      setBusy(false);
    }
  };
  const takeAll = () => {
    editor.accept(new Set(state.suggestions.map(({ id }) => id)));
    const taken = labels.filter(({ value }) => value >= valueMin).map(({ id, name }) => ({ id, name }));
    const have = state.drawing.labels;
    const added = taken.filter(({ id }) => !have.some((label) => label.id === id));
    if (added.length > 0) editor.setLabels([...have, ...added]);
    setFound([]);
    setLabels([]);
  };
  const above =
    found.filter(({ value }) => value >= valueMin).length +
    labels.filter(({ value }) => value >= valueMin).length;
  return (
    <section>
      <h2>{t('suggest.title')}</h2>
      <Troubles queries={queries} />
      <Select
        label={t('suggest.model')}
        hideLabel
        placeholder={t('suggest.model')}
        choices={models.map((model) => ({
          id: choiceOf(model),
          label: model.name || (model.id ?? ''),
        }))}
        value={chosen}
        onChange={choose}
      />
      <Button icon="spark" isDisabled={!chosen} isPending={isBusy} onPress={() => void ask()}>
        {t('suggest.ask')}
      </Button>
      {found.length + labels.length > 0 && (
        <>
          <Slider
            minValue={0}
            maxValue={1}
            step={0.01}
            value={valueMin}
            onChange={(min) => {
              setValueMin(min);
              show(found, min);
            }}
          >
            <Label>{t('suggest.threshold')}</Label>
            <SliderOutput>{formatPercent(valueMin, 0)}</SliderOutput>
            <SliderTrack className="slider-track">
              <SliderThumb className="slider-thumb" />
            </SliderTrack>
          </Slider>
          <ul className="plain row">
            {labels
              .filter(({ value }) => value >= valueMin)
              .map(({ id, name, value }) => (
                <li key={id} className="chip">
                  {name} {formatPercent(value, 0)}
                </li>
              ))}
          </ul>
          <Button look="primary" icon="check" isDisabled={above === 0} onPress={takeAll}>
            {t('suggest.take', { count: above })}
          </Button>
        </>
      )}
    </section>
  );
}
