import type { Collaborator } from '@fovea/contract/rest';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { rpc } from '../../api/client.ts';
import { refresh, useAppName, useRpc } from '../../api/queries.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { TextField } from '../../ui/fields.tsx';
import { say, sayTrouble } from '../../ui/notices.tsx';
import { Loaded, TroubleNote } from '../../ui/states.tsx';
import { RoleSelect } from './role-select.tsx';
import { type Role, roleOf, scopesOf } from './roles.ts';

/** Who else may work in this app, and what they may do. */
export function Collaborators() {
  const { t } = useTranslation();
  const app = useAppName();
  const found = useRpc('ListCollaborators', { user_app_id: app, per_page: 200 });
  const [userId, setUserId] = useState('');
  const [role, setRole] = useState<Role>('label');
  const [trouble, setTrouble] = useState<unknown>();
  const put = async (id: string, scopes: readonly string[]) => {
    const collaborator = { app: { id: app.app_id, user_id: app.user_id }, user: { id }, scopes };
    await rpc('PostCollaborators', { user_app_id: app, collaborators: [collaborator] });
    await refresh('ListCollaborators');
  };
  const add = async (event: FormEvent) => {
    event.preventDefault();
    setTrouble(undefined);
    try {
      await put(userId, scopesOf(role));
      setUserId('');
    } catch (thrown) {
      setTrouble(thrown);
    }
  };
  const change = async (collaborator: Collaborator, scopes: readonly string[]) => {
    await rpc('PatchCollaborators', {
      user_app_id: app,
      action: 'overwrite',
      collaborators: [{ id: collaborator.id ?? '', scopes }],
    });
    await refresh('ListCollaborators');
  };
  const changeAndSay = async (collaborator: Collaborator, next: Role) => {
    const before = collaborator.scopes ?? [];
    await change(collaborator, scopesOf(next));
    say(t('people.changed', { name: collaborator.user?.id, role: t(`role.${next}`) }), {
      label: t('common.undo'),
      act: () => void change(collaborator, before).catch(sayTrouble),
    });
  };
  const remove = async (collaborator: Collaborator) => {
    await rpc('DeleteCollaborators', { user_app_id: app, collaborator_ids: [collaborator.id ?? ''] });
    await refresh('ListCollaborators');
    say(t('people.removed', { name: collaborator.user?.id }), {
      label: t('common.undo'),
      act: () => void put(collaborator.user?.id ?? '', collaborator.scopes ?? []).catch(sayTrouble),
    });
  };
  return (
    <section className="card stack">
      <h2>{t('people.title')}</h2>
      <Loaded query={found}>
        {({ collaborators = [] }) => (
          <ul className="plain stack">
            {collaborators.map((collaborator) => (
              <li key={collaborator.id} className="row between">
                <strong>{collaborator.user?.id}</strong>
                <span className="row">
                  <RoleSelect
                    hiddenLabel={t('people.role', { name: collaborator.user?.id })}
                    value={roleOf(collaborator.scopes ?? [])}
                    onChange={(next) => void changeAndSay(collaborator, next).catch(sayTrouble)}
                  />
                  <IconButton
                    icon="trash"
                    label={t('people.remove', { name: collaborator.user?.id })}
                    onPress={() => void remove(collaborator).catch(sayTrouble)}
                  />
                </span>
              </li>
            ))}
          </ul>
        )}
      </Loaded>
      <form className="row end-aligned" onSubmit={(event) => void add(event)}>
        <TextField label={t('people.userId')} value={userId} onChange={setUserId} isRequired />
        <RoleSelect value={role} onChange={setRole} />
        <Button type="submit" look="primary" icon="add" isDisabled={userId === ''}>
          {t('people.add')}
        </Button>
      </form>
      {trouble !== undefined && <TroubleNote thrown={trouble} />}
    </section>
  );
}
