import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { rpc } from '../../api/client.ts';
import { refresh, useAppName, useRpc } from '../../api/queries.ts';
import { Link } from '../../app/link.tsx';
import { go, pathTo } from '../../app/place.ts';
import { formatAgo } from '../../i18n/format.ts';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { TextField } from '../../ui/fields.tsx';
import { Icon } from '../../ui/icon.tsx';
import { Empty, Loaded, TroubleNote } from '../../ui/states.tsx';
import { idFrom } from '../home/new-app-dialog.tsx';

/** Sets of inputs that belong together, each with versions that never change. */
export default function Datasets() {
  const { t } = useTranslation();
  const app = useAppName();
  const [isMaking, setMaking] = useState(false);
  const found = useRpc('ListDatasets', { user_app_id: app, per_page: 500 });
  const make = (
    <Button look="primary" icon="add" onPress={() => setMaking(true)}>
      {t('datasets.new')}
    </Button>
  );
  return (
    <div className="page">
      <header className="page-header">
        <h1>{t('nav.datasets')}</h1>
        {make}
      </header>
      <Loaded query={found}>
        {({ datasets = [] }) =>
          datasets.length === 0 ? (
            <Empty icon="dataset" title={t('datasets.none')} action={make}>
              {t('datasets.noneWords')}
            </Empty>
          ) : (
            <ul className="cards plain">
              {datasets.map((dataset) => (
                <li key={dataset.id} className="card stack">
                  <h2>
                    <Icon name="dataset" />{' '}
                    <Link href={pathTo(app.user_id, app.app_id, 'datasets', dataset.id ?? '')}>
                      {dataset.id}
                    </Link>
                  </h2>
                  {dataset.description && <p className="quiet clamp">{dataset.description}</p>}
                  <p className="quiet small">
                    {t('models.changed')} {formatAgo(dataset.modified_at)}
                  </p>
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
      <NewDataset isOpen={isMaking} onClose={() => setMaking(false)} />
    </div>
  );
}

function NewDataset({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  const { t } = useTranslation();
  const app = useAppName();
  const [name, setName] = useState('');
  const [description, setDescription] = useState('');
  const [trouble, setTrouble] = useState<unknown>();
  const id = idFrom(name);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setTrouble(undefined);
    try {
      await rpc('PostDatasets', { user_app_id: app, datasets: [{ id, description }] });
      await refresh('ListDatasets', 'GetResourceCounts');
      onClose();
      go(pathTo(app.user_id, app.app_id, 'datasets', id));
    } catch (thrown) {
      setTrouble(thrown);
    }
  };
  return (
    <Dialog title={t('datasets.new')} isOpen={isOpen} onClose={onClose} size="small">
      <form className="stack" onSubmit={(event) => void submit(event)}>
        <TextField label={t('newApp.name')} value={name} onChange={setName} isRequired autoFocus />
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
          <Button type="submit" look="primary" isDisabled={id === ''}>
            {t('datasets.make')}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
