import type { User } from '@fovea/contract/rest';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { signInWithCode } from '../api/session.ts';
import { go } from '../app/place.ts';
import { Button } from '../ui/button.tsx';
import { TroubleNote, Waiting } from '../ui/states.tsx';
import { SignIn } from './sign-in.tsx';

/** The start page: whoever comes by the link that the terminal printed is signed in, once. */
export function Welcome({
  code,
  user,
  signedIn,
}: {
  code: string;
  user: User | undefined;
  signedIn: () => Promise<void>;
}) {
  const { t } = useTranslation();
  const [trouble, setTrouble] = useState<unknown>();
  useEffect(() => {
    if (user || code === '') return;
    signInWithCode(code).then(signedIn, setTrouble);
  }, [code, user, signedIn]);
  if (!user && (code === '' || trouble !== undefined))
    return (
      <>
        {trouble !== undefined && <TroubleNote thrown={trouble} />}
        <SignIn signedIn={signedIn} />
      </>
    );
  if (!user) return <Waiting />;
  return (
    <main className="lone">
      <img src="/assets/icon.svg" alt="" width="56" height="56" />
      <h1>{t('welcome.title')}</h1>
      <p>{t('welcome.words')}</p>
      <Button look="primary" onPress={() => go('/')}>
        {t('welcome.go')}
      </Button>
    </main>
  );
}
