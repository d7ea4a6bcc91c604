import { asTrouble, currentUser, keptToken, setApp, signIn, Trouble } from './api.ts';
import { appForm, listApps } from './apps.ts';
import { loadConcepts } from './concepts.ts';
import { fill, h } from './dom.ts';
import { pictureIn } from './files.ts';
import { noticeHost, tellTrouble, troubleCard } from './notices.ts';
import { openPictures } from './pictures.ts';
import { go, readPlace } from './place.ts';
import { applyTheme, openShell, showKeys } from './shell.ts';
import { signInScreen } from './sign-in.ts';
import { openTrain } from './train.ts';
import { openTry } from './try.ts';
import { dropAnywhere, openUploadDock } from './upload-dock.ts';
import { type App, code } from './wire.ts';

const host = document.createElement('div');
host.id = 'app';
const dock = openUploadDock();
const pictures = openPictures({ upload: (picked) => dock.take(picked) });
const train = openTrain();
const tryOut = openTry();
const shell = openShell({ appMade, signedOut: () => askForToken() });
let apps: App[] = [];
let shownApp = '';

function askForToken(trouble?: HTMLElement): void {
  shownApp = '';
  dock.element.remove();
  fill(host, signInScreen(trouble, enter));
  host.querySelector<HTMLInputElement>('#token')?.focus();
}

/** After signing in: the app in the address, or the one changed last, or the form for the first. */
async function enter(): Promise<void> {
  try {
    apps = await listApps();
  } catch (thrown) {
    return askForToken(troubleCard(asTrouble(thrown)));
  }
  shell.showMenu();
  fill(host, shell.elements, dock.element);
  if (location.pathname !== '/') return showSecrets();
  const { app } = readPlace();
  go({ app: app || (apps[0]?.id ?? '') }, true);
}

/** Command-line clients send people here for a token. It is kept only as a hash, so it cannot be shown again. */
function showSecrets(): void {
  shell.show({ ...readPlace(), app: '' }, apps);
  shell.showView(
    h(
      'div',
      { class: 'page narrow' },
      h('h1', {}, 'Tokens'),
      h(
        'section',
        { class: 'card stack' },
        h(
          'p',
          {},
          'You are signed in as ',
          h('strong', {}, currentUser()),
          ' with a personal access token. Use the same one in other clients.',
        ),
        h(
          'p',
          {},
          'The server prints it when it starts. Further keys, with fewer scopes or for one app, are made with the API: ',
          h('a', { href: '/docs#PostKeys' }, 'PostKeys'),
          '.',
        ),
        h(
          'pre',
          { tabIndex: 0, 'aria-label': 'Settings for clients' },
          `export CLARIFAI_API_BASE=${location.origin}\nexport CLARIFAI_USER_ID=${currentUser()}\nexport CLARIFAI_PAT=…`,
        ),
        h('p', {}, h('a', { href: '/' }, 'Go to your pictures')),
      ),
    ),
  );
}

function appMade(app: App): void {
  apps = [app, ...apps];
  go({ app: app.id, view: 'pictures', concepts: [], like: '', input: '', model: '' });
}

function firstApp(): HTMLElement {
  return h(
    'div',
    { class: 'page narrow' },
    h('h1', {}, 'Welcome'),
    h(
      'p',
      { class: 'quiet' },
      'Three steps: make an app, drop pictures into it, label some. Then train and search.',
    ),
    h('section', { class: 'card stack' }, h('h2', {}, 'Create your first app'), appForm(appMade)),
  );
}

function show(): void {
  if (currentUser() === '' || !host.contains(shell.elements[2] ?? null)) return;
  const place = readPlace();
  setApp(place.app);
  shell.show(place, apps);
  if (place.app === '') {
    shell.showView(firstApp());
    return;
  }
  if (place.app !== shownApp) {
    shownApp = place.app;
    train.forget();
    tryOut.forget();
    loadConcepts().catch(missingApp);
  }
  if (place.view === 'train') {
    shell.showView(train.element);
    void train.show();
  } else if (place.view === 'try') {
    shell.showView(tryOut.element);
    void tryOut.show(place);
  } else {
    tryOut.forget();
    shell.showView(pictures.element);
    pictures.show(place);
  }
}

/** An address may name an app that is gone, or was never there. */
function missingApp(thrown: unknown): void {
  tellTrouble(thrown);
  if (
    thrown instanceof Trouble &&
    thrown.code === code.doesNotExist &&
    !apps.some(({ id }) => id === shownApp)
  ) {
    shell.showView(
      h(
        'div',
        { class: 'page narrow' },
        h('h1', {}, 'No such app'),
        h(
          'p',
          {},
          'There is no app ',
          h('strong', {}, shownApp),
          ' here, or it is not yours. Choose another above.',
        ),
      ),
    );
  }
}

const isField = (target: EventTarget | null): boolean =>
  target instanceof HTMLInputElement ||
  target instanceof HTMLTextAreaElement ||
  target instanceof HTMLSelectElement;
const isBusy = (): boolean => document.querySelector('dialog[open]') !== null;

window.addEventListener('keydown', (event) => {
  if (
    currentUser() === '' ||
    isField(event.target) ||
    isBusy() ||
    event.ctrlKey ||
    event.metaKey ||
    event.altKey
  )
    return;
  if (event.key === '?') showKeys();
  else if (readPlace().view !== 'pictures' || !pictures.key(event.key)) return;
  event.preventDefault();
});
window.addEventListener('paste', (event) => {
  const picture = pictureIn(event.clipboardData);
  if (currentUser() === '' || !picture || event.defaultPrevented || isBusy()) return;
  if (readPlace().view === 'try') tryOut.take(picture);
  else pictures.pasted(picture);
});
window.addEventListener('place', show);
window.addEventListener('popstate', () => window.dispatchEvent(new Event('place')));

tryOut.element.addEventListener('drop', (event) => {
  event.preventDefault();
  tryOut.droppedFiles(event.dataTransfer);
});
dropAnywhere(
  () => currentUser() !== '' && readPlace().app !== '' && readPlace().view !== 'try' && !isBusy(),
  dock.take,
);

applyTheme();
document.body.append(host, noticeHost());
const token = keptToken();
if (token === '') askForToken();
else signIn(token).then(enter, (thrown: unknown) => askForToken(troubleCard(asTrouble(thrown))));
