import { currentUser, signOut } from './api.ts';
import { newAppDialog } from './apps.ts';
import { showCalls } from './curl.ts';
import { fill, h, icon, iconButton, setProps } from './dom.ts';
import { copy } from './notices.ts';
import { go, type Place, type ViewName } from './place.ts';
import type { App } from './wire.ts';

const views: readonly { name: ViewName; label: string; icon: string }[] = [
  { name: 'pictures', label: 'Pictures', icon: 'picture' },
  { name: 'train', label: 'Train', icon: 'train' },
  { name: 'try', label: 'Try', icon: 'try' },
];

const themeKey = 'fovea.theme';
const newApp = '+';

/** The frame around the views: apps, ways between views, and the menu of who is signed in. */
export function openShell(parts: { appMade: (app: App) => unknown; signedOut: () => unknown }) {
  const apps = h('select', { 'aria-label': 'App', class: 'apps' });
  let current = '';
  apps.addEventListener('change', () => {
    const chosen = apps.value;
    apps.value = current;
    if (chosen === newApp) newAppDialog(parts.appMade);
    else go({ app: chosen, concepts: [], like: '', input: '', model: '' });
  });
  const buttons = views.map((view) => {
    const press = () =>
      go(view.name === 'try' ? { view: view.name } : { view: view.name, input: '', model: '' });
    return h(
      'button',
      { type: 'button', 'data-view': view.name, on: { click: press } },
      icon(view.icon),
      view.label,
    );
  });
  const nav = h('nav', { class: 'views', 'aria-label': 'Views' }, buttons);
  const menu = h('details', { class: 'menu' });
  const header = h(
    'header',
    { class: 'top' },
    h(
      'a',
      { href: '/', class: 'brand', 'aria-label': 'Fovea, start page' },
      h('img', { src: document.querySelector<HTMLLinkElement>('link[rel=icon]')?.href ?? '', alt: '' }),
      h('span', {}, 'Fovea'),
    ),
    apps,
    nav,
    h('span', { class: 'grow' }),
    h('a', { href: '/docs', class: 'wide-only' }, 'Docs'),
    iconButton('code', 'Show the last call as curl', showCalls),
    menu,
  );
  const main = h('main', { id: 'main', tabIndex: -1 });

  function showMenu(): void {
    const user = currentUser();
    const item = (name: string, label: string, press: () => unknown) =>
      h(
        'li',
        {},
        h(
          'button',
          { type: 'button', class: 'ghost', on: { click: () => [menu.removeAttribute('open'), press()] } },
          icon(name),
          label,
        ),
      );
    fill(
      menu,
      h(
        'summary',
        { 'aria-label': `Menu of ${user}`, title: user },
        h('span', { class: 'initial', 'aria-hidden': 'true' }, user.slice(0, 1).toLocaleUpperCase()),
      ),
      h(
        'div',
        { class: 'card' },
        h(
          'p',
          {},
          h('span', { class: 'quiet small' }, 'Signed in as'),
          h('br'),
          h('strong', { class: 'user-id' }, user),
        ),
        h(
          'ul',
          { class: 'plain' },
          item('copy', 'Copy the user id', () => copy(user)),
          item('theme', 'Light or dark', toggleTheme),
          item('keys', 'Keyboard shortcuts', showKeys),
          h('li', {}, h('a', { href: '/docs', class: 'as-button' }, icon('book'), 'API reference')),
          item('out', 'Sign out', async () => {
            await signOut();
            parts.signedOut();
          }),
        ),
      ),
    );
  }
  document.addEventListener('click', (event) => {
    if (!menu.contains(event.target as Node)) menu.removeAttribute('open');
  });
  menu.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || !menu.open) return;
    menu.removeAttribute('open');
    menu.querySelector('summary')?.focus();
    event.stopPropagation();
  });

  return {
    elements: [h('a', { href: '#main', class: 'skip' }, 'Skip to the content'), header, main],
    showView(element: HTMLElement): void {
      if (main.firstChild !== element) fill(main, element);
    },
    show(place: Place, all: readonly App[]): void {
      current = place.app;
      const hasApp = place.app !== '';
      apps.hidden = !hasApp && all.length === 0;
      nav.hidden = !hasApp;
      const known = all.some(({ id }) => id === place.app) || place.app === '';
      fill(
        apps,
        !hasApp && h('option', { value: '' }, 'Choose an app'),
        !known && h('option', { value: place.app }, place.app),
        all.map((app) => h('option', { value: app.id }, app.id)),
        h('option', { value: newApp }, '+ New app…'),
      );
      apps.value = place.app;
      for (const button of buttons)
        setProps(button, { 'aria-current': button.dataset['view'] === place.view ? 'page' : 'false' });
      document.title = place.app ? `${place.app} · Fovea` : 'Fovea';
    },
    showMenu,
  };
}

/** Follows the system until somebody chooses; the choice is kept. */
export function applyTheme(): void {
  const kept = localStorage.getItem(themeKey);
  if (kept === 'light' || kept === 'dark') document.documentElement.dataset['theme'] = kept;
}

function toggleTheme(): void {
  const shown = document.documentElement.dataset['theme'];
  const isDark = shown ? shown === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  localStorage.setItem(themeKey, isDark ? 'light' : 'dark');
  applyTheme();
}

const shortcuts: readonly (readonly [string, string])[] = [
  ['/', 'Search'],
  ['Arrows', 'Move between pictures'],
  ['Space', 'Select a picture'],
  ['Shift + click or arrows', 'Select a range'],
  ['Ctrl or Cmd + click', 'Add to the selection'],
  ['Ctrl or Cmd + A', 'Select all loaded pictures'],
  ['Enter', 'Open a picture'],
  ['L', 'Label the selected pictures'],
  ['Delete', 'Delete the selected pictures'],
  ['Escape', 'Clear the selection, close'],
  ['Ctrl or Cmd + V', 'Search by, or try, a copied picture'],
  ['?', 'This list'],
];

export function showKeys(): void {
  const dialog = h('dialog', { class: 'ask', 'aria-labelledby': 'keys-title' });
  fill(
    dialog,
    h(
      'header',
      { class: 'row' },
      h('h2', { id: 'keys-title' }, 'Keyboard shortcuts'),
      h('span', { class: 'grow' }),
      iconButton('close', 'Close', () => dialog.close()),
    ),
    h(
      'dl',
      { class: 'keys' },
      shortcuts.flatMap(([keys, words]) => [h('dt', {}, h('kbd', {}, keys)), h('dd', {}, words)]),
    ),
  );
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
