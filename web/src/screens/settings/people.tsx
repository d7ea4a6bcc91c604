import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { call } from '../../api/client.ts';
import { Button } from '../../ui/button.tsx';
import { TextField } from '../../ui/fields.tsx';
import { TroubleNote } from '../../ui/states.tsx';
import { MadeToken } from './tokens.tsx';

/** Makes a user of this server. Only the first user may; others are told so by the server. */
export function People() {
  const { t } = useTranslation();
  const [id, setId] = useState('');
  const [made, setMade] = useState<{ id: string; secret: string }>();
  const [trouble, setTrouble] = useState<unknown>();
  const make = async (event: FormEvent) => {
    event.preventDefault();
    setTrouble(undefined);
    try {
      const reply = await call<{ personal_access_token: string }>('POST', '/v2/ext/fovea/users', { id });
      setMade({ id, secret: reply.personal_access_token });
      setId('');
    } catch (thrown) {
      setTrouble(thrown);
    }
  };
  return (
    <section className="stack">
      <h2>{t('people.newUser')}</h2>
      <p className="quiet">{t('people.newUserWords')}</p>
      {made && (
        <>
          <p className="strong">{made.id}</p>
          <MadeToken userId={made.id} secret={made.secret} onClose={() => setMade(undefined)} />
        </>
      )}
      <form className="row end-aligned" onSubmit={(event) => void make(event)}>
        <TextField label={t('people.userId')} value={id} onChange={setId} isRequired />
        <Button type="submit" icon="people" isDisabled={id === ''}>
          {t('people.make')}
        </Button>
      </form>
      {trouble !== undefined && <TroubleNote thrown={trouble} />}
    </section>
  );
}
