import type { Key } from '@fovea/contract/rest';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { rpc } from '../../api/client.ts';
import { refresh, useAppName, useRpc, useUser } from '../../api/queries.ts';
import { formatDate } from '../../i18n/format.ts';
import { Button } from '../../ui/button.tsx';
import { TextField } from '../../ui/fields.tsx';
import { Loaded, TroubleNote } from '../../ui/states.tsx';
import { MadeToken, RevokeButton } from '../settings/tokens.tsx';
import { RoleSelect } from './role-select.tsx';
import { type Role, scopesOf } from './roles.ts';

/** Keys that open this app alone: for programs that should see nothing else. */
export function AppKeys() {
  const { t } = useTranslation();
  const app = useAppName();
  const user = useUser();
  const owner = { user_id: user.id ?? 'me' };
  const found = useRpc('ListAppKeys', { user_app_id: app, per_page: 200 });
  const [description, setDescription] = useState('');
  const [role, setRole] = useState<Role>('look');
  const [made, setMade] = useState<Key>();
  const [trouble, setTrouble] = useState<unknown>();
  const make = async (event: FormEvent) => {
    event.preventDefault();
    setTrouble(undefined);
    try {
      const { keys } = await rpc('PostKeys', {
        user_app_id: owner,
        keys: [
          {
            description,
            type: 'app_specific_key',
            scopes: scopesOf(role),
            apps: [{ id: app.app_id, user_id: app.user_id }],
          },
        ],
      });
      setMade(keys?.[0]);
      setDescription('');
      await refresh('ListAppKeys', 'ListKeys');
    } catch (thrown) {
      setTrouble(thrown);
    }
  };
  const revoke = async (key: Key) => {
    await rpc('DeleteKey', { user_app_id: owner, key_id: key.id ?? '' });
    await refresh('ListAppKeys', 'ListKeys');
  };
  return (
    <section className="card stack">
      <h2>{t('appKeys.title')}</h2>
      <p className="quiet">{t('appKeys.words')}</p>
      {made && (
        <MadeToken
          userId={app.user_id}
          appId={app.app_id}
          secret={made.id ?? ''}
          onClose={() => setMade(undefined)}
        />
      )}
      <Loaded query={found}>
        {({ keys = [] }) => (
          <ul className="plain">
            {keys.map((key) => (
              <li key={key.id} className="row between">
                <span>{key.description || key.id?.slice(0, 6)}</span>
                <span className="row small quiet">
                  {formatDate(key.created_at)}
                  <RevokeButton name={key.description || (key.id ?? '')} revoke={() => revoke(key)} />
                </span>
              </li>
            ))}
          </ul>
        )}
      </Loaded>
      <form className="row end-aligned" onSubmit={(event) => void make(event)}>
        <TextField label={t('common.description')} value={description} onChange={setDescription} isRequired />
        <RoleSelect value={role} onChange={setRole} />
        <Button type="submit" icon="key" isDisabled={description === ''}>
          {t('appKeys.make')}
        </Button>
      </form>
      {trouble !== undefined && <TroubleNote thrown={trouble} />}
    </section>
  );
}
