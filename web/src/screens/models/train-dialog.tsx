import type { Concept } from '@fovea/contract/rest';
import { type FormEvent, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { rpc } from '../../api/client.ts';
import { conceptName } from '../../api/media.ts';
import { refresh, useAppName, useRpc } from '../../api/queries.ts';
import { code, Trouble } from '../../api/trouble.ts';
import { go, pathTo } from '../../app/place.ts';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Checkbox, Select, Switch, TextField } from '../../ui/fields.tsx';
import { TroubleNote, Troubles } from '../../ui/states.tsx';
import { idFrom } from '../home/new-app-dialog.tsx';

const everything = '*';

/** What to learn, from what, and what to call it. Everything has a default: one press trains a classifier. */
export function TrainDialog({
  isOpen,
  onClose,
  modelId,
  modelTypeId,
}: {
  isOpen: boolean;
  onClose: () => void;
  /** A model that gets another version; a new one where left out. */
  modelId?: string;
  modelTypeId?: string;
}) {
  const { t } = useTranslation();
  const app = useAppName();
  const counts = useRpc('GetConceptCounts', { user_app_id: app, per_page: 1000 }, { enabled: isOpen });
  const types = useRpc('ListModelTypes', { user_app_id: app, per_page: 500 }, { enabled: isOpen });
  const datasets = useRpc('ListDatasets', { user_app_id: app, per_page: 100 }, { enabled: isOpen });
  const [type, setType] = useState(modelTypeId ?? 'embedding-classifier');
  const [name, setName] = useState('');
  const [dataset, setDataset] = useState(everything);
  const [isExclusive, setExclusive] = useState(true);
  const [left, setLeft] = useState<ReadonlySet<string>>(new Set());
  const [isBusy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<unknown>();
  const trainable = (types.data?.model_types ?? []).filter((one) => one.trainable && !one.internal_only);
  const concepts = useMemo(
    () =>
      (counts.data?.concept_counts ?? []).map((concept) => ({
        id: concept.id ?? '',
        name: conceptName(concept),
        count: concept.concept_type_count?.positive ?? 0,
      })),
    [counts.data],
  );
  const chosen = concepts.filter(({ id, count }) => count > 0 && !left.has(id));
  const needsConcepts = type !== 'clusterer' && type !== 'visual-anomaly-heatmap';
  const id = modelId ?? idFrom(name || `${type}-${new Date().toISOString().slice(0, 10)}`);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setTrouble(undefined);
    try {
      if (!modelId) await makeModel(app, { id, name: name || id, type });
      const data = { concepts: chosen.map((concept): Concept => ({ id: concept.id, name: concept.name })) };
      await rpc('PostModelVersions', {
        user_app_id: app,
        model_id: id,
        model_versions: [
          {
            ...(needsConcepts
              ? { output_info: { data, output_config: { concepts_mutually_exclusive: isExclusive } } }
              : {}),
            ...(dataset === everything
              ? {}
              : { train_info: { dataset: { id: dataset, user_id: app.user_id, app_id: app.app_id } } }),
          },
        ],
      });
      await refresh('ListModels', 'GetModel', 'ListModelVersions', 'GetResourceCounts');
      onClose();
      go(pathTo(app.user_id, app.app_id, 'models', id));
    } catch (thrown) {
      setTrouble(thrown);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog title={t('train.title')} isOpen={isOpen} onClose={onClose}>
      <form className="stack" onSubmit={(event) => void submit(event)}>
        {!modelId && (
          <>
            <Select
              label={t('train.type')}
              choices={trainable.map((one) => ({
                id: one.id ?? '',
                label: one.title || (one.id ?? ''),
                detail: (one.description ?? '').split('. ')[0] ?? '',
              }))}
              value={type}
              onChange={setType}
            />
            <TextField label={t('newApp.name')} placeholder={id} value={name} onChange={setName} />
          </>
        )}
        <Select
          label={t('train.from')}
          choices={[
            { id: everything, label: t('train.everything') },
            ...(datasets.data?.datasets ?? []).map(({ id = '' }) => ({ id, label: id })),
          ]}
          value={dataset}
          onChange={setDataset}
        />
        {needsConcepts && (
          <fieldset className="fieldset">
            <legend>{t('train.concepts')}</legend>
            {concepts.length === 0 && <p className="quiet">{t('train.noConcepts')}</p>}
            <div className="concept-ticks">
              {concepts.map(({ id, name, count }) => (
                <Checkbox
                  key={id}
                  label={
                    <>
                      {name} <span className="quiet small">{count}</span>
                    </>
                  }
                  isDisabled={count === 0}
                  isSelected={count > 0 && !left.has(id)}
                  onChange={(on) => {
                    const next = new Set(left);
                    if (on) next.delete(id);
                    else next.add(id);
                    setLeft(next);
                  }}
                />
              ))}
            </div>
          </fieldset>
        )}
        {type.endsWith('classifier') && (
          <Switch label={t('train.exclusive')} isSelected={isExclusive} onChange={setExclusive} />
        )}
        {needsConcepts && chosen.length === 1 && type.endsWith('classifier') && (
          <p className="note">{t('train.needsTwo')}</p>
        )}
        <Troubles queries={isOpen ? [counts, types, datasets] : []} />
        {trouble !== undefined && <TroubleNote thrown={trouble} />}
        <div className="row end">
          <Button onPress={onClose}>{t('common.cancel')}</Button>
          <Button
            type="submit"
            look="primary"
            icon="model"
            isDisabled={needsConcepts && chosen.length === 0}
            isPending={isBusy}
          >
            {t('train.submit')}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** A model of that id may be there from an earlier try: then this adds a version to it. */
async function makeModel(
  app: ReturnType<typeof useAppName>,
  { id, name, type }: { id: string; name: string; type: string },
): Promise<void> {
  try {
    await rpc('PostModels', { user_app_id: app, models: [{ id, name, model_type_id: type }] });
  } catch (thrown) {
    if (!(thrown instanceof Trouble) || thrown.code !== code.duplicateId) throw thrown;
  }
}
