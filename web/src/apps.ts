import { asTrouble, call, currentUser, ofUser } from './api.ts';
import { fill, h } from './dom.ts';
import { troubleCard } from './notices.ts';
import type { App } from './wire.ts';

const perPage = 200;

/** The apps of who is signed in, the latest changed first. */
export async function listApps(): Promise<App[]> {
  const { apps = [] } = await call<{ apps?: App[] }>('GET', ofUser(`apps?per_page=${perPage}`), undefined, {
    what: 'Your apps could not be listed.',
  });
  return apps.filter(({ user_id: owner }) => owner === undefined || owner === currentUser());
}

/** Makes an app whose pictures are searchable at once: its base workflow computes embeddings. */
async function createApp(id: string): Promise<App> {
  const app = { id, default_workflow: { id: 'General', app_id: 'main', user_id: 'clarifai' } };
  const { apps } = await call<{ apps: App[] }>(
    'POST',
    ofUser('apps'),
    { apps: [app] },
    { what: 'The app could not be made.' },
  );
  return apps[0] ?? { id };
}

/** A form for a new app. Used in a dialog and as the first screen of somebody without apps. */
export function appForm(made: (app: App) => unknown): HTMLFormElement {
  const id = h('input', {
    type: 'text',
    id: 'app-id',
    required: true,
    maxlength: '48',
    autocomplete: 'off',
    spellcheck: 'false',
    placeholder: 'my-pictures',
    pattern: '[^\\/\\\\?#%]+',
  });
  const button = h('button', { type: 'submit', class: 'primary' }, 'Create app');
  const said = h('div', {});
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    button.disabled = true;
    fill(said);
    try {
      made(await createApp(id.value.trim()));
    } catch (thrown) {
      fill(said, troubleCard(asTrouble(thrown)));
    } finally {
      button.disabled = false;
    }
  };
  return h(
    'form',
    { class: 'stack', on: { submit } },
    h('div', { class: 'field' }, h('label', { for: 'app-id' }, 'Id of the app'), id),
    h(
      'p',
      { class: 'quiet small' },
      'An app holds pictures, concepts and models. It gets the base workflow General, which makes its pictures searchable. Language and visibility keep their defaults: English, private.',
    ),
    h('div', { class: 'row' }, button),
    said,
  );
}

export function newAppDialog(made: (app: App) => unknown): void {
  const dialog = h('dialog', { class: 'ask', 'aria-labelledby': 'new-app' });
  const form = appForm((app) => {
    dialog.close();
    made(app);
  });
  form
    .querySelector('.row')
    ?.prepend(h('button', { type: 'button', on: { click: () => dialog.close() } }, 'Cancel'));
  dialog.append(h('h2', { id: 'new-app' }, 'New app'), form);
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
