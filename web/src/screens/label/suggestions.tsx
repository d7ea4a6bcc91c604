import { useState } from 'react';
import { Label, Slider, SliderOutput, SliderThumb, SliderTrack } from 'react-aria-components';
import { useTranslation } from 'react-i18next';
import { rpc } from '../../api/client.ts';
import { type AppName, useRpc } from '../../api/queries.ts';
import { conceptRefOf, geometryOf } from '../../canvas/annotations.ts';
import type { Editor, EditorState } from '../../canvas/editor.ts';
import type { Shape } from '../../canvas/shapes.ts';
import type { Size } from '../../canvas/view.ts';
import { formatPercent } from '../../i18n/format.ts';
import { Button } from '../../ui/button.tsx';
import { Select } from '../../ui/fields.tsx';
import { sayTrouble } from '../../ui/notices.tsx';
import { Troubles } from '../../ui/states.tsx';

interface Suggested {
  readonly shape: Shape;
  readonly value: number;
}

const finders = ['visual-detector', 'visual-segmenter', 'visual-classifier', 'embedding-classifier'];

/** What a model thinks is there: dashed until taken, all above a chosen value at once. */
export function Suggestions({
  editor,
  state,
  app,
  inputId,
  size,
}: {
  editor: Editor;
  state: EditorState;
  app: AppName;
  inputId: string;
  size: Size;
}) {
  const { t } = useTranslation();
  const own = useRpc('ListModels', { user_app_id: app, trained_only: true, per_page: 100 });
  const builtIn = useRpc('ListModels', {
    user_app_id: { user_id: 'clarifai', app_id: 'main' },
    per_page: 100,
  });
  const models = [...(own.data?.models ?? []), ...(builtIn.data?.models ?? [])].filter((model) =>
    finders.includes(model.model_type_id ?? ''),
  );
  const [chosen, choose] = useState<string>();
  const [found, setFound] = useState<readonly Suggested[]>([]);
  const [labels, setLabels] = useState<readonly { id: string; name: string; value: number }[]>([]);
  const [valueMin, setValueMin] = useState(0.5);
  const [isBusy, setBusy] = useState(false);
  const show = (all: readonly Suggested[], min: number) =>
    editor.suggest(all.filter(({ value }) => value >= min).map(({ shape }) => shape));
  const ask = async () => {
    const model = models.find(({ id, app_id }) => `${app_id}/${id}` === chosen);
    if (!model) return;
    setBusy(true);
    try {
      const { outputs = [] } = await rpc('PostModelOutputs', {
        user_app_id: { user_id: model.user_id ?? '', app_id: model.app_id ?? '' },
        model_id: model.id ?? '',
        inputs: [{ data: { image: { base64: await pictureAsBase64(editor, size) } } }],
      });
      const data = outputs[0]?.data;
      const regions = await Promise.all(
        (data?.regions ?? []).map(async (region, i): Promise<Suggested | undefined> => {
          const geometry = await geometryOf(region, size);
          const concept = region.data?.concepts?.[0];
          if (!geometry) return undefined;
          return {
            value: concept?.value ?? region.value ?? 0,
            shape: {
              id: `suggestion-${i}`,
              geometry,
              concept: concept ? conceptRefOf(concept) : undefined,
              isLocked: false,
              frame: state.frame,
              trackId: undefined,
            },
          };
        }),
      );
      const all = regions.filter((suggested) => suggested !== undefined);
      setFound(all);
      setLabels(
        (data?.concepts ?? []).map((concept) => ({ ...conceptRefOf(concept), value: concept.value ?? 0 })),
      );
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
      <Troubles queries={[own, builtIn]} />
      <Select
        label={t('suggest.model')}
        hideLabel
        placeholder={t('suggest.model')}
        choices={models.map(({ id = '', app_id = '', name }) => ({
          id: `${app_id}/${id}`,
          label: name || id,
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

/** The picture as the browser shows it: turned upright, so that boxes come back in the same place. */
async function pictureAsBase64(editor: Editor, size: Size): Promise<string> {
  const { base64Of } = await import('../../upload/files.ts');
  const canvas = new OffscreenCanvas(size.width, size.height);
  const picture = editor.picture;
  if (picture) canvas.getContext('2d')?.drawImage(picture, 0, 0, size.width, size.height);
  return base64Of(await canvas.convertToBlob({ type: 'image/jpeg', quality: 0.92 }));
}
