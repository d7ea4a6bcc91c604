import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { signIn } from '../api/session.ts';
import { Button } from '../ui/button.tsx';
import { TextField } from '../ui/fields.tsx';
import { TroubleNote } from '../ui/states.tsx';

/** One field: the token. It opens a session and is not kept. */
export function SignIn({ signedIn }: { signedIn: () => Promise<void> }) {
  const { t } = useTranslation();
  const [token, setToken] = useState('');
  const [isBusy, setBusy] = useState(false);
  const [trouble, setTrouble] = useState<unknown>();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setTrouble(undefined);
    try {
      await signIn(token.trim());
      await signedIn();
    } catch (thrown) {
      setTrouble(thrown);
    } finally {
      setBusy(false);
    }
  };
  return (
    <main className="lone">
      <img src="/assets/icon.svg" alt="" width="56" height="56" />
      <h1>{t('signIn.title')}</h1>
      <form className="card stack" onSubmit={(event) => void submit(event)}>
        <TextField
          label={t('signIn.token')}
          hint={t('signIn.hint')}
          type="password"
          autoComplete="current-password"
          value={token}
          onChange={setToken}
          isRequired
          autoFocus
        />
        {trouble !== undefined && <TroubleNote thrown={trouble} />}
        <Button type="submit" look="primary" isDisabled={token.trim() === ''} isPending={isBusy}>
          {t('signIn.submit')}
        </Button>
      </form>
    </main>
  );
}
