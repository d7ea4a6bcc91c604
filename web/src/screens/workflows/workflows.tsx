import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { rpc } from '../../api/client.ts';
import { refresh, useAppName, useRpc } from '../../api/queries.ts';
import { Link } from '../../app/link.tsx';
import { go, pathTo } from '../../app/place.ts';
import { formatAgo } from '../../i18n/format.ts';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Select, TextField } from '../../ui/fields.tsx';
import { Icon } from '../../ui/icon.tsx';
import { Empty, Loaded, TroubleNote } from '../../ui/states.tsx';
import { idFrom } from '../home/new-app-dialog.tsx';
import { useModels } from './use-models.ts';

/** Models wired to each other. */
export default function Workflows() {
  const { t } = useTranslation();
  const app = useAppName();
  const [isMaking, setMaking] = useState(false);
  const found = useRpc('ListWorkflows', { user_app_id: app, per_page: 200 });
  const make = (
    <Button look="primary" icon="add" onPress={() => setMaking(true)}>
      {t('workflow.new')}
    </Button>
  );
  return (
    <div className="page">
      <header className="page-header">
        <h1>{t('nav.workflows')}</h1>
        {make}
      </header>
      <Loaded query={found}>
        {({ workflows = [] }) =>
          workflows.length === 0 ? (
            <Empty icon="workflow" title={t('workflow.none')} action={make}>
              {t('workflow.noneWords')}
            </Empty>
          ) : (
            <ul className="cards plain">
              {workflows.map((workflow) => (
                <li key={workflow.id} className="card stack">
                  <h2>
                    <Icon name="workflow" />{' '}
                    <Link href={pathTo(app.user_id, app.app_id, 'workflows', workflow.id ?? '')}>
                      {workflow.id}
                    </Link>
                  </h2>
                  {workflow.description && <p className="quiet clamp">{workflow.description}</p>}
                  <p className="quiet small">
                    {t('workflow.nodes', { count: workflow.nodes?.length ?? 0 })} ·{' '}
                    {formatAgo(workflow.modified_at)}
                  </p>
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
      <NewWorkflow isOpen={isMaking} onClose={() => setMaking(false)} />
    </div>
  );
}

/** A workflow cannot be empty, so it begins with its first model. */
function NewWorkflow({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  const { t } = useTranslation();
  const app = useAppName();
  const { models } = useModels(app);
  const [name, setName] = useState('');
  const [chosen, choose] = useState<string>();
  const [trouble, setTrouble] = useState<unknown>();
  const id = idFrom(name);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const model = models.get(chosen ?? '');
    if (!model) return;
    setTrouble(undefined);
    try {
      await rpc('PostWorkflows', {
        user_app_id: app,
        workflows: [
          {
            id,
            nodes: [{ id: 'first', model: { id: model.id, user_id: model.userId, app_id: model.appId } }],
          },
        ],
      });
      await refresh('ListWorkflows', 'GetResourceCounts');
      onClose();
      go(pathTo(app.user_id, app.app_id, 'workflows', id));
    } catch (thrown) {
      setTrouble(thrown);
    }
  };
  return (
    <Dialog title={t('workflow.new')} isOpen={isOpen} onClose={onClose} size="small">
      <form className="stack" onSubmit={(event) => void submit(event)}>
        <TextField label={t('newApp.name')} value={name} onChange={setName} isRequired autoFocus />
        <Select
          label={t('workflow.first')}
          choices={[...models].map(([key, model]) => ({ id: key, label: model.name, detail: model.typeId }))}
          value={chosen}
          onChange={choose}
        />
        {trouble !== undefined && <TroubleNote thrown={trouble} />}
        <div className="row end">
          <Button onPress={onClose}>{t('common.cancel')}</Button>
          <Button type="submit" look="primary" isDisabled={id === '' || !chosen}>
            {t('workflow.make')}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
