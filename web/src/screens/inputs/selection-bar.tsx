import type { Concept, Input } from '@fovea/contract/rest';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { rpc } from '../../api/client.ts';
import { conceptName } from '../../api/media.ts';
import { refresh, useAppName, useRpc } from '../../api/queries.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Select } from '../../ui/fields.tsx';
import { say, sayTrouble } from '../../ui/notices.tsx';
import { ConceptField } from './label-field.tsx';
import { deleteInputs, setLabel } from './labelling.ts';

/** What can be done with what is marked: label it, put it into a dataset, delete it. */
export function SelectionBar({
  ids,
  onChanged,
  onDeleted,
  onClear,
}: {
  ids: readonly string[];
  onChanged: (inputs: readonly Input[]) => void;
  onDeleted: () => void;
  onClear: () => void;
}) {
  const { t } = useTranslation();
  const app = useAppName();
  const [isDeleting, setDeleting] = useState(false);
  const datasets = useRpc('ListDatasets', { user_app_id: app, per_page: 100 }).data?.datasets ?? [];
  const label = async (concept: Concept) => {
    try {
      const changed = await setLabel(app, ids, concept, 'merge');
      onChanged(changed);
      const back = async () => onChanged(await setLabel(app, ids, concept, 'remove'));
      say(t('selection.labelled', { count: changed.length, concept: conceptName(concept) }), {
        label: t('common.undo'),
        act: () => void back().catch(sayTrouble),
      });
    } catch (thrown) {
      sayTrouble(thrown);
    }
  };
  const put = async (id: string) => {
    try {
      for (let from = 0; from < ids.length; from += 128)
        await rpc(
          'PostDatasetInputs',
          {
            user_app_id: app,
            dataset_id: id,
            dataset_inputs: ids.slice(from, from + 128).map((input) => ({ input: { id: input } })),
          },
          { mixedIsFine: true },
        );
      await refresh('ListDatasets', 'ListDatasetInputs');
      say(t('selection.put', { count: ids.length, dataset: id }));
    } catch (thrown) {
      sayTrouble(thrown);
    }
  };
  const remove = async () => {
    setDeleting(false);
    try {
      await deleteInputs(app, ids);
      onDeleted();
      say(t('selection.deleted', { count: ids.length }));
    } catch (thrown) {
      sayTrouble(thrown);
    }
  };
  return (
    <section className="selection-bar" aria-label={t('selection.label')}>
      <strong role="status">{t('selection.count', { count: ids.length })}</strong>
      <ConceptField label={t('selection.addLabel')} hideLabel onChoose={(concept) => void label(concept)} />
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
      <Button icon="trash" onPress={() => setDeleting(true)}>
        {t('common.delete')}
      </Button>
      <IconButton icon="close" label={t('selection.clear')} onPress={onClear} />
      <Dialog
        title={t('selection.deleteTitle', { count: ids.length })}
        isOpen={isDeleting}
        onClose={() => setDeleting(false)}
        size="small"
        actions={
          <>
            <Button onPress={() => setDeleting(false)}>{t('common.cancel')}</Button>
            <Button look="danger" icon="trash" onPress={() => void remove()}>
              {t('common.delete')}
            </Button>
          </>
        }
      >
        <p>{t('selection.deleteWords')}</p>
      </Dialog>
    </section>
  );
}
