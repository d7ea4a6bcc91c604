import type { Key } from '@fovea/contract/rest';
import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { rpc } from '../../api/client.ts';
import { refresh, useRpc, useUser } from '../../api/queries.ts';
import { formatDate } from '../../i18n/format.ts';
import { Button } from '../../ui/button.tsx';
import { CopyButton } from '../../ui/copy.tsx';
import { DeleteButton } from '../../ui/delete-button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { TextField } from '../../ui/fields.tsx';
import { say } from '../../ui/notices.tsx';
import { Empty, Loaded, TroubleNote } from '../../ui/states.tsx';
import { Table } from '../../ui/table.tsx';
import { RoleSelect } from '../app-settings/role-select.tsx';
import { type Role, scopesOf } from '../app-settings/roles.ts';

const scopesShown = 3;

/** Personal access tokens: made here, shown once, revoked here. */
export function Tokens() {
  const { t } = useTranslation();
  const user = useUser();
  const owner = { user_id: user.id ?? 'me' };
  const keys = useRpc('ListKeys', { user_app_id: owner, per_page: 500 });
  const [made, setMade] = useState<Key>();
  const [isMaking, setMaking] = useState(false);
  const revoke = async (key: Key) => {
    await rpc('DeleteKey', { user_app_id: owner, key_id: key.id ?? '' });
    await refresh('ListKeys');
    say(t('tokens.revoked', { name: key.description }));
  };
  return (
    <section className="stack">
      <div className="row between">
        <h2>{t('tokens.title')}</h2>
        <Button look="primary" icon="add" onPress={() => setMaking(true)}>
          {t('tokens.new')}
        </Button>
      </div>
      <p className="quiet">{t('tokens.words')}</p>
      {made && <MadeToken userId={user.id ?? ''} secret={made.id ?? ''} onClose={() => setMade(undefined)} />}
      <Loaded query={keys}>
        {({ keys = [] }) =>
          keys.length === 0 ? (
            <Empty icon="key" title={t('tokens.none')} />
          ) : (
            <Table columns={[t('common.description'), t('tokens.scopes'), t('common.created'), undefined]}>
              {keys.map((key) => (
                <tr key={key.id}>
                  <td>{key.description || <code>{key.id?.slice(0, 6)}…</code>}</td>
                  <td>
                    <Scopes scopes={key.scopes ?? []} />
                  </td>
                  <td>{formatDate(key.created_at)}</td>
                  <td>
                    <RevokeButton name={key.description || (key.id ?? '')} revoke={() => revoke(key)} />
                  </td>
                </tr>
              ))}
            </Table>
          )
        }
      </Loaded>
      <NewToken isOpen={isMaking} onClose={() => setMaking(false)} onMade={setMade} />
    </section>
  );
}

function Scopes({ scopes }: { scopes: readonly string[] }) {
  const { t } = useTranslation();
  const more = scopes.length - scopesShown;
  return (
    <>
      {scopes.slice(0, scopesShown).join(', ')} {more > 0 && t('selection.more', { count: more })}
    </>
  );
}

/** Takes a token or a key out of use, after a question: it cannot be brought back. */
export function RevokeButton({ name, revoke }: { name: string; revoke: () => Promise<unknown> }) {
  const { t } = useTranslation();
  return (
    <DeleteButton
      label={t('tokens.revoke', { name })}
      title={t('tokens.revokeTitle', { name })}
      verb={t('tokens.revokeDo')}
      act={revoke}
    >
      <p>{t('tokens.revokeWords')}</p>
    </DeleteButton>
  );
}

/** A secret, shown once, with lines that put it to use. */
export function MadeToken({
  userId,
  appId,
  secret,
  onClose,
}: {
  userId: string;
  /** Of a key that opens one app. */
  appId?: string;
  secret: string;
  onClose: () => void;
}) {
  const { t } = useTranslation();
  const lines = Object.entries({
    CLARIFAI_API_BASE: location.origin,
    CLARIFAI_USER_ID: userId,
    ...(appId === undefined ? {} : { CLARIFAI_APP_ID: appId }),
    CLARIFAI_PAT: secret,
  })
    .map(([name, value]) => `export ${name}=${value}`)
    .join('\n');
  return (
    <div className="note good" role="status">
      <div className="stack">
        <p className="strong">{t('tokens.made')}</p>
        <p className="row">
          <code className="secret" dir="ltr">
            {secret}
          </code>
          <CopyButton text={secret} />
        </p>
        <div className="code">
          <pre dir="ltr">{lines}</pre>
          <CopyButton text={lines} />
        </div>
        <Button isSmall onPress={onClose}>
          {t('tokens.kept')}
        </Button>
      </div>
    </div>
  );
}

function NewToken({
  isOpen,
  onClose,
  onMade,
}: {
  isOpen: boolean;
  onClose: () => void;
  onMade: (key: Key) => void;
}) {
  const { t } = useTranslation();
  const user = useUser();
  const [description, setDescription] = useState('');
  const [role, setRole] = useState<Role>('all');
  const [trouble, setTrouble] = useState<unknown>();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setTrouble(undefined);
    try {
      const { keys } = await rpc('PostKeys', {
        user_app_id: { user_id: user.id ?? 'me' },
        keys: [{ description, type: 'personal_access_token', scopes: scopesOf(role) }],
      });
      if (keys?.[0]) onMade(keys[0]);
      await refresh('ListKeys');
      setDescription('');
      onClose();
    } catch (thrown) {
      setTrouble(thrown);
    }
  };
  return (
    <Dialog title={t('tokens.new')} isOpen={isOpen} onClose={onClose} size="small">
      <form className="stack" onSubmit={(event) => void submit(event)}>
        <TextField
          label={t('common.description')}
          hint={t('tokens.descriptionHint')}
          value={description}
          onChange={setDescription}
          isRequired
          autoFocus
        />
        <RoleSelect value={role} onChange={setRole} />
        {trouble !== undefined && <TroubleNote thrown={trouble} />}
        <div className="row end">
          <Button onPress={onClose}>{t('common.cancel')}</Button>
          <Button type="submit" look="primary" isDisabled={description === ''}>
            {t('tokens.make')}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
