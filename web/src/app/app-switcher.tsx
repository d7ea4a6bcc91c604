import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useRpc, useUser } from '../api/queries.ts';
import { NewAppDialog } from '../screens/home/new-app-dialog.tsx';
import { Select } from '../ui/fields.tsx';
import { go, pathTo } from './place.ts';

const newApp = '+';

/** Which app is looked at, the way to another, and to a new one. */
export function AppSwitcher({ userId, appId }: { userId: string | undefined; appId: string | undefined }) {
  const { t } = useTranslation();
  const user = useUser();
  const [isMaking, setMaking] = useState(false);
  const apps = useRpc('ListApps', { user_app_id: { user_id: user.id ?? 'me' }, per_page: 500 });
  const own = apps.data?.apps ?? [];
  const here = userId && appId ? `${userId}/${appId}` : undefined;
  const choices = own.map((app) => ({ id: `${app.user_id}/${app.id}`, label: app.id ?? '' }));
  if (here && !choices.some(({ id }) => id === here)) choices.unshift({ id: here, label: here });
  return (
    <>
      <Select
        label={t('app.switch')}
        hideLabel
        placeholder={t('app.choose')}
        choices={[...choices, { id: newApp, label: t('app.new') }]}
        value={here}
        onChange={(id) => (id === newApp ? setMaking(true) : go(pathTo(...id.split('/'))))}
      />
      <NewAppDialog isOpen={isMaking} onClose={() => setMaking(false)} />
    </>
  );
}
