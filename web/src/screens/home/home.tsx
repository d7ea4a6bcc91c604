import type { App } from '@fovea/contract/rest';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useRpc, useUser } from '../../api/queries.ts';
import { Link } from '../../app/link.tsx';
import { pathTo } from '../../app/place.ts';
import { formatAgo, formatNumber } from '../../i18n/format.ts';
import { Button } from '../../ui/button.tsx';
import { Icon } from '../../ui/icon.tsx';
import { Loaded } from '../../ui/states.tsx';
import { FirstRun } from '../first-run/first-run.tsx';
import { NewAppDialog } from './new-app-dialog.tsx';

/** Every app of this user, newest change first. */
export default function Home() {
  const { t } = useTranslation();
  const user = useUser();
  const [isMaking, setMaking] = useState(false);
  const apps = useRpc('ListApps', {
    user_app_id: { user_id: user.id ?? 'me' },
    per_page: 500,
    additional_fields: ['counts'],
  });
  const make = (
    <Button look="primary" icon="add" onPress={() => setMaking(true)}>
      {t('app.new')}
    </Button>
  );
  return (
    <div className="page">
      <header className="page-header">
        <h1>{t('home.title')}</h1>
        {make}
      </header>
      <Loaded query={apps}>
        {({ apps = [] }) =>
          apps.length === 0 ? (
            <FirstRun userId={user.id ?? 'me'} />
          ) : (
            <ul className="cards plain">
              {apps.map((app) => (
                <AppCard key={`${app.user_id}/${app.id}`} app={app} />
              ))}
            </ul>
          )
        }
      </Loaded>
      <NewAppDialog isOpen={isMaking} onClose={() => setMaking(false)} />
    </div>
  );
}

function AppCard({ app }: { app: App }) {
  const { t } = useTranslation();
  const { inputs, models } = app.extra_info?.counts ?? {};
  return (
    <li className="card app-card">
      <h2>
        <Link href={pathTo(app.user_id ?? '', app.id ?? '')}>{app.id}</Link>
      </h2>
      {app.description && <p className="quiet clamp">{app.description}</p>}
      <p className="row quiet small">
        <span>
          <Icon name="gallery" size={15} />{' '}
          {t('home.inputs', { count: Number(inputs ?? 0), formatted: formatNumber(Number(inputs ?? 0)) })}
        </span>
        <span>
          <Icon name="model" size={15} />{' '}
          {t('home.models', { count: Number(models ?? 0), formatted: formatNumber(Number(models ?? 0)) })}
        </span>
        <time dateTime={app.modified_at}>{formatAgo(app.modified_at)}</time>
      </p>
    </li>
  );
}
