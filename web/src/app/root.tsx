import { useQuery } from '@tanstack/react-query';
import { Suspense } from 'react';
import { I18nProvider, RouterProvider } from 'react-aria-components';
import { useTranslation } from 'react-i18next';
import { queries, UserProvider } from '../api/queries.ts';
import { whoAmI } from '../api/session.ts';
import { SignIn } from '../screens/sign-in.tsx';
import { Welcome } from '../screens/welcome.tsx';
import { Notices } from '../ui/notices.tsx';
import { TroubleNote, Waiting } from '../ui/states.tsx';
import { go, usePlace } from './place.ts';
import { Shell } from './shell.tsx';

/** Signed in or not; everything else is inside. */
export function Root() {
  const { i18n } = useTranslation();
  const { path, hash } = usePlace();
  const who = useQuery({ queryKey: ['whoAmI'], queryFn: whoAmI, staleTime: 60_000 });
  const again = async () => {
    queries.clear();
    await who.refetch();
  };
  const inside = () => {
    if (who.isPending) return <Waiting />;
    if (who.error) return <TroubleNote thrown={who.error} retry={() => void who.refetch()} />;
    if (path[0] === 'start') return <Welcome code={hash} user={who.data ?? undefined} signedIn={again} />;
    if (!who.data) return <SignIn signedIn={again} />;
    return (
      <UserProvider value={who.data}>
        <Shell signedOut={again} />
      </UserProvider>
    );
  };
  return (
    <I18nProvider locale={i18n.language}>
      <RouterProvider navigate={(address) => go(address)}>
        <Suspense fallback={<Waiting />}>{inside()}</Suspense>
        <Notices />
      </RouterProvider>
    </I18nProvider>
  );
}
