import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { rpc } from '../../api/client.ts';
import { refresh, useApp, useAppName } from '../../api/queries.ts';
import { go } from '../../app/place.ts';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { TextField } from '../../ui/fields.tsx';
import { say, sayTrouble } from '../../ui/notices.tsx';
import { TroubleNote } from '../../ui/states.tsx';
import { AppKeys } from './app-keys.tsx';
import { Collaborators } from './collaborators.tsx';

/** What the app is called and for whom it is. */
export default function AppSettings() {
  const { t } = useTranslation();
  const app = useApp();
  return (
    <div className="page">
      <header className="page-header">
        <h1>{t('appSettings.title')}</h1>
      </header>
      <Describe key={app.modified_at} />
      <Collaborators />
      <AppKeys />
      <DeleteApp />
    </div>
  );
}

function Describe() {
  const { t } = useTranslation();
  const name = useAppName();
  const app = useApp();
  const [description, setDescription] = useState(app.description ?? '');
  const [notes, setNotes] = useState(app.notes ?? '');
  const [trouble, setTrouble] = useState<unknown>();
  const save = async () => {
    setTrouble(undefined);
    try {
      await rpc('PatchApps', {
        user_app_id: { user_id: name.user_id },
        action: 'overwrite',
        apps: [{ id: name.app_id, description, notes }],
      });
      await refresh('GetApp', 'ListApps');
      say(t('appSettings.saved'));
    } catch (thrown) {
      setTrouble(thrown);
    }
  };
  return (
    <section className="card stack">
      <h2>{t('appSettings.about')}</h2>
      <TextField label={t('common.description')} value={description} onChange={setDescription} />
      <TextField label={t('model.notes')} value={notes} onChange={setNotes} isLong />
      {trouble !== undefined && <TroubleNote thrown={trouble} />}
      <div className="row end">
        <Button look="primary" onPress={() => void save()}>
          {t('common.save')}
        </Button>
      </div>
    </section>
  );
}

function DeleteApp() {
  const { t } = useTranslation();
  const name = useAppName();
  const [isOpen, setOpen] = useState(false);
  const [typed, setTyped] = useState('');
  const remove = async () => {
    try {
      await rpc('DeleteApp', { user_app_id: name });
      await refresh('ListApps');
      say(t('appSettings.deleted', { name: name.app_id }));
      go('/');
    } catch (thrown) {
      sayTrouble(thrown);
    }
  };
  return (
    <section className="card stack">
      <h2>{t('appSettings.delete')}</h2>
      <p className="quiet">{t('appSettings.deleteWords')}</p>
      <div className="row">
        <Button look="danger" icon="trash" onPress={() => setOpen(true)}>
          {t('appSettings.delete')}
        </Button>
      </div>
      <Dialog
        title={t('model.deleteTitle', { name: name.app_id })}
        isOpen={isOpen}
        onClose={() => setOpen(false)}
        size="small"
        actions={
          <Button look="danger" isDisabled={typed !== name.app_id} onPress={() => void remove()}>
            {t('common.delete')}
          </Button>
        }
      >
        <TextField
          label={t('appSettings.typeName', { name: name.app_id })}
          value={typed}
          onChange={setTyped}
          autoFocus
        />
      </Dialog>
    </section>
  );
}
