import type { Concept, Input } from '@fovea/contract/rest';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { conceptName, nameOf, picturePath } from '../../api/media.ts';
import { useAppName, useRpc, useUser } from '../../api/queries.ts';
import { formatNumber } from '../../i18n/format.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { DeleteButton } from '../../ui/delete-button.tsx';
import { Select } from '../../ui/fields.tsx';
import { say, sayTrouble } from '../../ui/notices.tsx';
import { Waiting } from '../../ui/states.tsx';
import { deleteSoon } from './deletions.ts';
import { ConceptField } from './label-field.tsx';
import { putIntoDataset, setLabel, takeOutOfDataset } from './labelling.ts';
import { readInputs } from './sources.ts';

/** What can be done with what is marked: label it, put it into a dataset or take it out, delete it. */
export function SelectionBar({
  ids,
  dataset,
  onChanged,
  onMoved,
  onDeleted,
  onClear,
}: {
  ids: readonly string[];
  /** The one dataset that the gallery shows, if it shows one. */
  dataset: string | undefined;
  onChanged: (inputs: readonly Input[]) => void;
  onMoved: () => void;
  onDeleted: () => void;
  onClear: () => void;
}) {
  const { t } = useTranslation();
  const app = useAppName();
  const user = useUser();
  const datasets = useRpc('ListDatasets', { user_app_id: app, per_page: 100 }).data?.datasets ?? [];
  /** Does something, says so, and offers the way back. */
  const act = async (work: () => Promise<{ words: string; undo: () => Promise<unknown> }>) => {
    try {
      const { words, undo } = await work();
      say(words, { label: t('common.undo'), act: () => void undo().catch(sayTrouble) });
    } catch (thrown) {
      sayTrouble(thrown);
    }
  };
  const label = (concept: Concept, action: 'merge' | 'remove') =>
    act(async () => {
      const change = await setLabel(app, ids, concept, action);
      onChanged(change.inputs);
      const said = { count: change.count, concept: conceptName(concept) };
      return {
        words: t(action === 'merge' ? 'selection.labelled' : 'selection.unlabelled', said),
        undo: async () => onChanged(await change.undo()),
      };
    });
  const put = (id: string) =>
    act(async () => {
      const added = await putIntoDataset(app, id, ids);
      return {
        words: t('selection.put', { count: added.length, dataset: id }),
        undo: () => takeOutOfDataset(app, id, added),
      };
    });
  const takeOut = (id: string) =>
    act(async () => {
      await takeOutOfDataset(app, id, ids);
      onMoved();
      return {
        words: t('selection.takenOut', { count: ids.length, dataset: id }),
        undo: () => putIntoDataset(app, id, ids).then(onMoved),
      };
    });
  const remove = async () => {
    await deleteSoon(user.id ?? '', app, ids);
    onDeleted();
  };
  return (
    <section className="selection-bar" aria-label={t('selection.label')}>
      <strong role="status">{t('selection.count', { count: ids.length })}</strong>
      <ConceptField
        label={t('selection.addLabel')}
        hideLabel
        onChoose={(concept) => void label(concept, 'merge')}
      />
      <CommonLabels ids={ids} onRemove={(concept) => void label(concept, 'remove')} />
      {datasets.length > 0 && (
        <Select
          label={t('selection.toDataset')}
          hideLabel
          placeholder={t('selection.toDataset')}
          choices={datasets.map(({ id = '' }) => ({ id, label: id }))}
          value={undefined}
          onChange={(id) => void put(id)}
        />
      )}
      {dataset !== undefined && (
        <Button onPress={() => void takeOut(dataset)}>{t('selection.takeOut', { dataset })}</Button>
      )}
      <DeleteButton
        isWide
        label={t('common.delete')}
        title={t('selection.deleteTitle', { count: ids.length })}
        act={remove}
      >
        <WhatGoes ids={ids} />
      </DeleteButton>
      <IconButton icon="close" label={t('selection.clear')} onPress={onClear} />
    </section>
  );
}

/** What is marked, as it is now. Of very many only the first are read: what is said of them is said so. */
const readMax = 512;
function useMarked(ids: readonly string[]) {
  const app = useAppName();
  const some = ids.slice(0, readMax);
  return useQuery({
    queryKey: ['ListInputs', 'marked', app, some],
    queryFn: () => readInputs(app, some),
    placeholderData: (before) => before,
  });
}

const labelsShown = 5;

/** Labels that what is marked has, to take away from all of it. */
function CommonLabels({ ids, onRemove }: { ids: readonly string[]; onRemove: (concept: Concept) => void }) {
  const { t } = useTranslation();
  const counted = new Map<string, { concept: Concept; count: number }>();
  const marked = useMarked(ids).data ?? [];
  for (const { data } of marked)
    for (const concept of data?.concepts ?? [])
      if ((concept.value ?? 0) > 0) {
        const known = counted.get(concept.id ?? '');
        counted.set(concept.id ?? '', { concept, count: (known?.count ?? 0) + 1 });
      }
  const shown = [...counted.values()].toSorted((a, b) => b.count - a.count).slice(0, labelsShown);
  if (shown.length === 0) return null;
  return (
    <ul className="plain row" aria-label={t('selection.labels')}>
      {shown.map(({ concept, count }) => (
        <li key={concept.id} className="chip">
          {conceptName(concept)}
          {count > 1 && <span className="quiet small">{formatNumber(count)}</span>}
          <IconButton
            icon="close"
            label={t('selection.removeLabel', { concept: conceptName(concept) })}
            onPress={() => onRemove(concept)}
          />
        </li>
      ))}
    </ul>
  );
}

const picturesShown = 8;

/** What a deletion takes with it, by name. */
function WhatGoes({ ids }: { ids: readonly string[] }) {
  const { t } = useTranslation();
  const app = useAppName();
  const inputs = useMarked(ids).data;
  const annotations = useRpc(
    'ListAnnotations',
    { user_app_id: app, input_ids: ids.slice(0, 128), per_page: 1000 },
    { enabled: ids.length <= 128 },
  ).data?.annotations;
  if (!inputs) return <Waiting />;
  const drawn = annotations?.filter(({ input_level }) => !input_level).length;
  const labels = inputs.reduce((sum, { data }) => sum + (data?.concepts?.length ?? 0), 0);
  return (
    <div className="stack">
      <ul className="plain row what-goes">
        {inputs.slice(0, picturesShown).map((input) => {
          const path = picturePath(input.data, 'tiny');
          return (
            <li key={input.id}>
              {path ? <img src={path} alt={nameOf(input)} /> : <span className="badge">{nameOf(input)}</span>}
            </li>
          );
        })}
        {ids.length > picturesShown && (
          <li className="quiet">{t('selection.more', { count: ids.length - picturesShown })}</li>
        )}
      </ul>
      <p>{t('selection.deleteWords')}</p>
      {ids.length <= 128 && (
        <p className="quiet small">
          {t('selection.deleteCounts', { labels: formatNumber(labels), regions: formatNumber(drawn ?? 0) })}
        </p>
      )}
    </div>
  );
}
