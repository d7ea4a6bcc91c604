import type { Model } from '@fovea/contract/rest';
import { useState } from 'react';
import { Tab, TabList, TabPanel, Tabs } from 'react-aria-components';
import { useTranslation } from 'react-i18next';
import { useAppName, useRpc } from '../../api/queries.ts';
import { Link } from '../../app/link.tsx';
import { pathTo } from '../../app/place.ts';
import { formatAgo } from '../../i18n/format.ts';
import { Button } from '../../ui/button.tsx';
import { Icon } from '../../ui/icon.tsx';
import { Empty, Loaded } from '../../ui/states.tsx';
import { TrainDialog } from './train-dialog.tsx';
import { isTraining, VersionBadge } from './version-badge.tsx';

const builtIn = { user_id: 'clarifai', app_id: 'main' };

/** Models of the app, and those that came with Fovea. */
export default function Models() {
  const { t } = useTranslation();
  const app = useAppName();
  const [isOpen, setOpen] = useState(false);
  const own = useRpc(
    'ListModels',
    { user_app_id: app, per_page: 200 },
    {
      everyMs: (data) =>
        (data?.models ?? []).some((model) => isTraining(model.model_version)) ? 1_000 : false,
    },
  );
  const given = useRpc('ListModels', { user_app_id: builtIn, per_page: 200 });
  const train = (
    <Button look="primary" icon="model" onPress={() => setOpen(true)}>
      {t('models.train')}
    </Button>
  );
  return (
    <div className="page">
      <header className="page-header">
        <h1>{t('nav.models')}</h1>
        {train}
      </header>
      <Tabs className="tabs">
        <TabList className="tab-list" aria-label={t('nav.models')}>
          <Tab id="own" className="tab">
            {t('models.own')}
          </Tab>
          <Tab id="given" className="tab">
            {t('models.given')}
          </Tab>
        </TabList>
        <TabPanel id="own">
          <Loaded query={own}>
            {({ models = [] }) =>
              models.length === 0 ? (
                <Empty icon="model" title={t('models.none')} action={train}>
                  {t('models.noneWords')}
                </Empty>
              ) : (
                <ModelCards models={models} />
              )
            }
          </Loaded>
        </TabPanel>
        <TabPanel id="given">
          <Loaded query={given}>{({ models = [] }) => <ModelCards models={models} />}</Loaded>
        </TabPanel>
      </Tabs>
      <TrainDialog isOpen={isOpen} onClose={() => setOpen(false)} />
    </div>
  );
}

function ModelCards({ models }: { models: readonly Model[] }) {
  const { t } = useTranslation();
  return (
    <ul className="cards plain">
      {models.map((model) => (
        <li key={`${model.app_id}/${model.id}`} className="card stack">
          <h2>
            <Icon name="model" />{' '}
            <Link href={pathTo(model.user_id ?? '', model.app_id ?? '', 'models', model.id ?? '')}>
              {model.name || model.id}
            </Link>
          </h2>
          <p className="row small">
            <span className="badge">{model.model_type_id}</span>
            <VersionBadge version={model.model_version} />
          </p>
          {model.description && <p className="quiet small clamp">{model.description}</p>}
          <p className="quiet small">
            {t('models.changed')} {formatAgo(model.modified_at)}
          </p>
        </li>
      ))}
    </ul>
  );
}
