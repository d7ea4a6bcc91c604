import type { User } from '@fovea/contract/rest';
import { useEffect, useRef, useState } from 'react';
import { signInWithCode } from '../api/session.ts';
import { go } from '../app/place.ts';
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
  const [trouble, setTrouble] = useState<unknown>();
  const isTried = useRef(false);
  useEffect(() => {
    if (user) return go('/', { replace: true });
    if (code === '' || isTried.current) return;
    isTried.current = true;
    signInWithCode(code).then(signedIn, setTrouble);
  }, [code, user, signedIn]);
  if (user || (code !== '' && trouble === undefined)) return <Waiting />;
  return (
    <>
      {trouble !== undefined && <TroubleNote thrown={trouble} />}
      <SignIn signedIn={signedIn} />
    </>
  );
}
