import { Suspense, useCallback, useEffect, useMemo, useState } from 'react';
import { Menu, MenuItem, MenuSection, MenuTrigger, Popover, Separator } from 'react-aria-components';
import { useTranslation } from 'react-i18next';
import { AppProvider, useRpc, useUser } from '../api/queries.ts';
import { useServerLost } from '../api/server-state.ts';
import { signOut } from '../api/session.ts';
import { orderConcepts } from '../gallery/colors.ts';
import { changeLanguage, currentLanguage, type LanguageCode, languageNames } from '../i18n/index.ts';
import { Button, IconButton } from '../ui/button.tsx';
import { Icon, type IconName } from '../ui/icon.tsx';
import { sayTrouble } from '../ui/notices.tsx';
import { Empty, TroubleNote, Waiting } from '../ui/states.tsx';
import { DropTarget } from '../upload/drop-target.tsx';
import { UploadDock } from '../upload/upload-dock.tsx';
import { AppSwitcher } from './app-switcher.tsx';
import { CodeDialog } from './code-dialog.tsx';
import { Link } from './link.tsx';
import { go, pathTo, usePlace } from './place.ts';
import { applyTheme, setPreference, type Theme, usePreference } from './preferences.ts';
import { ScreenBoundary } from './screen-boundary.tsx';
import { appScreens, Home, Settings } from './screens.tsx';
import { useShortcuts } from './shortcuts.ts';
import { ShortcutsDialog } from './shortcuts-dialog.tsx';

/** The frame around the screens: apps, ways between screens, and what is true on all of them. */
export function Shell({ signedOut }: { signedOut: () => Promise<void> }) {
  const { t } = useTranslation();
  const { path, query } = usePlace();
  const [userId, appId, word = '', one] = path;
  const isApp = userId !== undefined && appId !== undefined && userId !== 'settings';
  const screen = appScreens.find((candidate) => candidate.word === word);
  useDeletions();
  return (
    <>
      <a className="skip" href="#main">
        {t('nav.skip')}
      </a>
      <LostBanner />
      <div className={isApp ? 'frame with-sidebar' : 'frame'}>
        <TopBar signedOut={signedOut} appId={isApp ? appId : undefined} userId={userId} />
        {isApp && <Sidebar userId={userId} appId={appId} word={word} />}
        <main id="main" tabIndex={-1}>
          <ScreenBoundary at={`${path.join('/')}?${query}`}>
            <Suspense fallback={<Waiting />}>
              {!isApp && path[0] === 'settings' && <Settings />}
              {!isApp && path.length === 0 && <Home />}
              {!isApp && path.length > 0 && path[0] !== 'settings' && <Nowhere />}
              {isApp && (
                <InApp
                  userId={userId}
                  appId={appId}
                  Screen={(one === undefined ? screen?.Screen : screen?.One) ?? Nowhere}
                />
              )}
            </Suspense>
          </ScreenBoundary>
        </main>
      </div>
      <UploadDock />
    </>
  );
}

/** What was deleted on a page that was closed since is carried out. */
function useDeletions(): void {
  const { id = '' } = useUser();
  useEffect(() => {
    let end: (() => void) | undefined;
    let isHere = true;
    void import('../screens/inputs/deletions.ts').then(({ resumeDeletions }) => {
      if (isHere) end = resumeDeletions(id);
    });
    return () => {
      isHere = false;
      end?.();
    };
  }, [id]);
}

function InApp({ userId, appId, Screen }: { userId: string; appId: string; Screen: React.ComponentType }) {
  const name = useMemo(() => ({ user_id: userId, app_id: appId }), [userId, appId]);
  const found = useRpc('GetApp', { user_app_id: name });
  const concepts = useRpc('ListConcepts', { user_app_id: name, per_page: 1000 });
  useMemo(() => orderConcepts(concepts.data?.concepts?.flatMap(({ id }) => id ?? []) ?? []), [concepts.data]);
  useEffect(() => {
    document.title = `${appId} · Fovea`;
    return () => {
      document.title = 'Fovea';
    };
  }, [appId]);
  if (found.error)
    return (
      <div className="page">
        <TroubleNote thrown={found.error} retry={() => void found.refetch()} />
      </div>
    );
  // The same list that search and labels offer; without it shapes would change their colour while one looks.
  if (concepts.isPending) return <Waiting />;
  return (
    <AppProvider value={{ ...name, ...(found.data?.app ? { app: found.data.app } : {}) }}>
      <Screen key={`${userId}/${appId}`} />
      <DropTarget app={name} />
    </AppProvider>
  );
}

function Nowhere() {
  const { t } = useTranslation();
  return (
    <Empty icon="help" title={t('nowhere.title')} action={<Link href="/">{t('nowhere.home')}</Link>}>
      {t('nowhere.words')}
    </Empty>
  );
}

/** Shown while the server does not answer; what was not saved is kept by the screens and sent when it is back. */
function LostBanner() {
  const { t } = useTranslation();
  return (
    <div role="alert" className="lost-banner" hidden={!useServerLost()}>
      <Icon name="warning" />
      {t('lost.words')}
    </div>
  );
}

function Sidebar({ userId, appId, word }: { userId: string; appId: string; word: string }) {
  const { t } = useTranslation();
  return (
    <nav className="sidebar" aria-label={t('nav.screens')}>
      {appScreens
        .filter(({ isNavigation }) => isNavigation)
        .map((screen) => (
          <Link
            key={screen.word}
            href={pathTo(...[userId, appId, screen.word].filter(Boolean))}
            aria-current={screen.word === word ? 'page' : undefined}
          >
            <Icon name={screen.icon} size={20} />
            <span>{t(screen.label)}</span>
          </Link>
        ))}
    </nav>
  );
}

function TopBar({
  signedOut,
  userId,
  appId,
}: {
  signedOut: () => Promise<void>;
  userId: string | undefined;
  appId: string | undefined;
}) {
  const { t } = useTranslation();
  const [isCodeShown, showCode] = useState(false);
  const [areKeysShown, showKeys] = useState(false);
  const app = useMemo(
    () => (userId !== undefined && appId !== undefined ? { user_id: userId, app_id: appId } : undefined),
    [userId, appId],
  );
  const { path } = usePlace();
  const showHelp = useCallback(() => showKeys(true), []);
  useShortcuts(app, path[2] === 'inputs' && path[3] !== undefined, showHelp);
  return (
    <header className="top-bar">
      <Link href="/" className="brand" aria-label={t('nav.home')}>
        <img src="/assets/icon.svg" alt="" width="26" height="26" />
        <span>Fovea</span>
      </Link>
      <AppSwitcher userId={userId} appId={appId} />
      <span className="grow" />
      <a className="button ghost wide-only" href="/docs">
        <Icon name="docs" />
        {t('nav.docs')}
      </a>
      <IconButton icon="code" label={t('code.show')} onPress={() => showCode(true)} />
      <UserMenu signedOut={signedOut} showKeys={() => showKeys(true)} />
      <CodeDialog isOpen={isCodeShown} onClose={() => showCode(false)} />
      <ShortcutsDialog isOpen={areKeysShown} onClose={() => showKeys(false)} />
    </header>
  );
}

function UserMenu({ signedOut, showKeys }: { signedOut: () => Promise<void>; showKeys: () => void }) {
  const { t } = useTranslation();
  const user = useUser();
  const chosenTheme = usePreference('theme') ?? 'system';
  const theme = (name: Theme) => {
    setPreference('theme', name);
    applyTheme();
  };
  const language = (code: LanguageCode) => {
    setPreference('language', code);
    changeLanguage(code).catch(sayTrouble);
  };
  const leave = async () => {
    // Inputs that were deleted a moment ago go while the session may still delete them.
    await import('../screens/inputs/deletions.ts').then(({ deleteNow }) => deleteNow());
    await signOut().catch(sayTrouble);
    go('/');
    await signedOut();
  };
  return (
    <MenuTrigger>
      <Button look="ghost" aria-label={t('user.menu', { user: user.id })}>
        <span className="initial" aria-hidden="true">
          {(user.id ?? '?').slice(0, 1).toLocaleUpperCase()}
        </span>
      </Button>
      <Popover className="popover" placement="bottom end">
        <Menu className="menu">
          <MenuItem className="menu-item" onAction={() => go('/settings/secrets')}>
            <Icon name="key" />
            {t('user.tokens')}
          </MenuItem>
          <MenuItem className="menu-item" onAction={() => location.assign('/docs')}>
            <Icon name="docs" />
            {t('nav.docs')}
          </MenuItem>
          <MenuItem className="menu-item" onAction={showKeys}>
            <Icon name="help" />
            {t('user.shortcuts')}
          </MenuItem>
          <Separator className="separator" />
          <Choices
            label={t('user.themes')}
            icon="theme"
            chosen={chosenTheme}
            choices={themes.map((name) => [name, t(`user.theme.${name}`)])}
            choose={theme}
          />
          <Separator className="separator" />
          <Choices
            label={t('user.languages')}
            icon="language"
            chosen={currentLanguage()}
            choices={Object.entries(languageNames) as [LanguageCode, string][]}
            choose={language}
            areLanguages
          />
          <Separator className="separator" />
          <MenuItem className="menu-item" onAction={() => void leave()}>
            <Icon name="arrowLeft" />
            {t('user.signOut')}
          </MenuItem>
        </Menu>
      </Popover>
    </MenuTrigger>
  );
}

const themes: readonly Theme[] = ['system', 'light', 'dark'];

/** Part of the menu of which one is in use: it is ticked, and said to be. */
function Choices<Name extends string>({
  label,
  icon,
  chosen,
  choices,
  choose,
  areLanguages,
}: {
  label: string;
  icon: IconName;
  chosen: string;
  choices: readonly (readonly [Name, string])[];
  choose: (name: Name) => void;
  /** Whether each is written in the language that it names. */
  areLanguages?: boolean;
}) {
  return (
    <MenuSection
      aria-label={label}
      selectionMode="single"
      disallowEmptySelection
      selectedKeys={[chosen]}
      onSelectionChange={(keys) => keys !== 'all' && choose([...keys][0] as Name)}
    >
      {choices.map(([name, words]) => (
        <MenuItem key={name} id={name} className="menu-item" textValue={words}>
          {({ isSelected }) => (
            <>
              <Icon name={icon} />
              <span className="grow" {...(areLanguages ? { lang: name } : {})}>
                {words}
              </span>
              {isSelected && <Icon name="check" size={16} />}
            </>
          )}
        </MenuItem>
      ))}
    </MenuSection>
  );
}
