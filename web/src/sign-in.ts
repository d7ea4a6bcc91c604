import { asTrouble, signIn } from './api.ts';
import { fill, h, icon } from './dom.ts';
import { troubleCard } from './notices.ts';

/** The first thing that somebody sees: one field for the token, and where to find it. */
export function signInScreen(trouble: HTMLElement | undefined, done: () => unknown): HTMLElement {
  const token = h('input', {
    type: 'password',
    id: 'token',
    name: 'token',
    autocomplete: 'current-password',
    required: true,
    spellcheck: 'false',
    'aria-describedby': 'token-hint',
  });
  const button = h('button', { type: 'submit', class: 'primary' }, 'Sign in');
  const said = h('div', {}, trouble);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    button.disabled = true;
    fill(said);
    try {
      await signIn(token.value.trim());
      done();
    } catch (thrown) {
      fill(said, troubleCard(asTrouble(thrown)));
      token.select();
    } finally {
      button.disabled = false;
    }
  };
  return h(
    'main',
    { class: 'sign-in' },
    h('img', {
      src: document.querySelector<HTMLLinkElement>('link[rel=icon]')?.href ?? '',
      alt: '',
      class: 'logo',
    }),
    h('h1', {}, 'Fovea'),
    h('p', { class: 'quiet' }, 'Label pictures, train on them, search by look. On your own machine.'),
    h(
      'form',
      { class: 'card stack', on: { submit } },
      h('div', { class: 'field' }, h('label', { for: 'token' }, 'Personal access token'), token),
      h(
        'p',
        { class: 'quiet small', id: 'token-hint' },
        'The server prints it when it starts, beside “Token”. It stays in this tab and is forgotten when the tab closes.',
      ),
      button,
      said,
    ),
    h('p', {}, h('a', { href: '/docs' }, icon('book'), 'API reference')),
  );
}
