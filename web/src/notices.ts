import { asTrouble, type Trouble, wasAborted } from './api.ts';
import { h, icon, iconButton } from './dom.ts';

const shownMs = 6000;
const linesMax = 2;
const host = h('div', { class: 'notices', role: 'status', 'aria-live': 'polite' });

export const noticeHost = (): HTMLElement => host;

/** A line that goes away by itself; `undo` adds a button and gives more time. */
export function tell(words: string, undo?: { label: string; press: () => unknown }): void {
  const note = h('div', { class: 'notice' }, h('span', {}, words));
  const away = () => note.remove();
  if (undo) {
    const press = () => {
      away();
      undo.press();
    };
    note.append(h('button', { type: 'button', class: 'ghost', on: { click: press } }, undo.label));
  }
  note.append(iconButton('close', 'Dismiss', away));
  host.append(note);
  for (const old of [...host.querySelectorAll('.notice')].slice(0, -linesMax)) old.remove();
  window.setTimeout(away, undo ? shownMs * 2 : shownMs);
}

/** Shows what went wrong until somebody dismisses it. */
export function tellTrouble(thrown: unknown, what?: string): void {
  if (wasAborted(thrown)) return;
  const card = troubleCard(asTrouble(thrown, what));
  card.append(iconButton('close', 'Dismiss', () => card.remove(), { class: 'corner' }));
  // The same trouble again, from a poll or a second click, takes the place of the first.
  for (const other of host.querySelectorAll<HTMLElement>('.trouble')) {
    if (other.dataset['what'] === card.dataset['what']) other.remove();
  }
  host.append(card);
}

/** What, why, what to do, and an id to copy. */
export function troubleCard(trouble: Trouble, retry?: () => unknown): HTMLElement {
  return h(
    'div',
    { class: 'trouble', role: 'alert', 'data-what': trouble.message },
    icon('warn'),
    h(
      'div',
      {},
      h('strong', {}, trouble.message),
      h('p', {}, trouble.why),
      h('p', { class: 'quiet' }, trouble.advice),
      trouble.requestId !== '' &&
        h(
          'p',
          { class: 'request-id' },
          h('span', { class: 'quiet' }, 'Request id '),
          h('code', {}, trouble.requestId),
          iconButton('copy', 'Copy the request id', () => copy(trouble.requestId)),
        ),
      retry && h('button', { type: 'button', on: { click: retry } }, 'Try again'),
    ),
  );
}

export async function copy(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    tell('Copied.');
  } catch {
    tell('The browser does not let this page copy; select the text and copy it by hand.');
  }
}

/** What this is, one thing to do, and where to read more. */
export function emptyState(parts: {
  title: string;
  words: string;
  action?: HTMLElement;
  more?: HTMLElement;
}): HTMLElement {
  return h(
    'div',
    { class: 'empty' },
    h('h2', {}, parts.title),
    h('p', {}, parts.words),
    parts.action,
    parts.more,
  );
}

/** Asks before something that cannot be taken back. */
export function confirmed(title: string, words: string, verb: string): Promise<boolean> {
  return new Promise((resolve) => {
    const dialog = h('dialog', { class: 'ask', 'aria-label': title });
    const end = (answer: string) => () => dialog.close(answer);
    dialog.append(
      h('h2', {}, title),
      h('p', {}, words),
      h(
        'div',
        { class: 'row end' },
        h('button', { type: 'button', on: { click: end('no') } }, 'Cancel'),
        h('button', { type: 'button', class: 'danger', on: { click: end('yes') } }, verb),
      ),
    );
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'yes');
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
