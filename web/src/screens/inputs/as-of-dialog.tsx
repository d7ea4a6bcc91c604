import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { TextField } from '../../ui/fields.tsx';

/** What a field for local times holds of a moment. */
function localOf(when: string): string {
  const said = new Date(when);
  const moment = Number.isNaN(said.getTime()) ? new Date() : said;
  const shifted = new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, 19);
}

/** A time at which the labels and datasets are looked at. */
export function AsOfDialog({
  asOf,
  onChoose,
  onClose,
}: {
  asOf: string;
  onChoose: (asOf: string) => void;
  onClose: () => void;
}) {
  const { t } = useTranslation();
  const [typed, setTyped] = useState(localOf(asOf));
  const when = new Date(typed);
  const isTime = !Number.isNaN(when.getTime());
  return (
    <Dialog
      title={t('asOf.title')}
      isOpen
      onClose={onClose}
      size="small"
      actions={
        <>
          <Button onPress={() => onChoose('')}>{t('asOf.now')}</Button>
          <Button look="primary" isDisabled={!isTime} onPress={() => onChoose(when.toISOString())}>
            {t('asOf.look')}
          </Button>
        </>
      }
    >
      <TextField
        label={t('asOf.when')}
        hint={t('asOf.hint')}
        type={'datetime-local' as never}
        value={typed}
        onChange={setTyped}
      />
    </Dialog>
  );
}
