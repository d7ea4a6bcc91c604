import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { rpc } from '../../api/client.ts';
import { refresh, useUser } from '../../api/queries.ts';
import { go, pathTo } from '../../app/place.ts';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Select, TextField } from '../../ui/fields.tsx';
import { TroubleNote } from '../../ui/states.tsx';

/** What people come for, and the workflow that indexes their inputs for it. */
const goals = ['classify', 'detect', 'search', 'empty'] as const;
const workflows = {
  classify: 'Universal',
  detect: 'Universal',
  search: 'Universal',
  empty: 'Empty',
} as const;

/** Anything as an id of the contract: letters, digits, dashes and underscores. */
export const idFrom = (text: string): string =>
  text
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .replaceAll(/[^A-Za-z0-9_-]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 48);

export function NewAppDialog({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  const { t } = useTranslation();
  const user = useUser();
  const [name, setName] = useState('');
  const [description, setDescription] = useState('');
  const [goal, setGoal] = useState<(typeof goals)[number]>('classify');
  const [isBusy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<unknown>();
  const id = idFrom(name);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setTrouble(undefined);
    try {
      await rpc('PostApps', {
        user_app_id: { user_id: user.id ?? 'me' },
        apps: [
          {
            id,
            description,
            default_workflow: { id: workflows[goal], app_id: 'main', user_id: 'clarifai' },
          },
        ],
      });
      await refresh('ListApps');
      onClose();
      go(pathTo(user.id ?? '', id));
      setName('');
      setDescription('');
    } catch (thrown) {
      setTrouble(thrown);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog title={t('newApp.title')} isOpen={isOpen} onClose={onClose} size="small">
      <form className="stack" onSubmit={(event) => void submit(event)}>
        <TextField
          label={t('newApp.name')}
          hint={id !== '' && id !== name ? t('newApp.id', { id }) : t('newApp.nameHint')}
          value={name}
          onChange={setName}
          isRequired
          autoFocus
        />
        <Select
          label={t('newApp.goal')}
          choices={goals.map((goal) => ({
            id: goal,
            label: t(`newApp.goals.${goal}`),
            detail: t(`newApp.goalDetails.${goal}`),
          }))}
          value={goal}
          onChange={(chosen) => setGoal(chosen as (typeof goals)[number])}
        />
        <TextField
          label={t('common.description')}
          value={description}
          onChange={setDescription}
          isLong
          rows={2}
        />
        {trouble !== undefined && <TroubleNote thrown={trouble} />}
        <div className="row end">
          <Button onPress={onClose}>{t('common.cancel')}</Button>
          <Button type="submit" look="primary" isDisabled={id === ''} isPending={isBusy}>
            {t('newApp.submit')}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
