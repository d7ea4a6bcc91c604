import { useSyncExternalStore } from 'react';
import { createPortal } from 'react-dom';
import { useTranslation } from 'react-i18next';
import { asTrouble, wasAborted } from '../api/trouble.ts';
import { Button, IconButton } from './button.tsx';
import { TroubleNote } from './states.tsx';

interface Notice {
  readonly id: number;
  readonly words?: string;
  readonly thrown?: unknown;
  readonly undo?: { readonly label: string; readonly act: () => unknown } | undefined;
}

const staysMs = 6_000;
/** With a way back, which somebody has to read, think about, and reach. */
const staysToUndoMs = 20_000;
let notices: readonly Notice[] = [];
let nextId = 1;
const listeners = new Set<() => void>();

function set(next: readonly Notice[]): void {
  notices = next;
  for (const listener of listeners) listener();
}

const drop = (id: number): void => set(notices.filter((notice) => notice.id !== id));

/** Says that something was done, with a way back where there is one. It leaves by itself. */
export function say(
  words: string,
  undo?: { label: string; act: () => unknown },
  forMs = undo ? staysToUndoMs : staysMs,
): void {
  const id = nextId++;
  set([...notices, { id, words, undo }].slice(-4));
  setTimeout(() => drop(id), forMs);
}

/** Shows a trouble that no screen has a place for. It stays until it is closed. */
export function sayTrouble(thrown: unknown): void {
  if (wasAborted(thrown)) return;
  set([...notices, { id: nextId++, thrown: asTrouble(thrown) }].slice(-4));
}

export function Notices() {
  const { t } = useTranslation();
  const shown = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => notices,
  );
  // Above dialogs, which make all that is under them unreachable: what is said there may offer a way back.
  return createPortal(
    <section
      className="notices"
      aria-label={t('common.notices')}
      aria-live="polite"
      data-react-aria-top-layer="true"
    >
      {shown.map(({ id, words, thrown, undo }) => (
        <div key={id} className="notice">
          {thrown === undefined ? <p>{words}</p> : <TroubleNote thrown={thrown} />}
          {undo && (
            <Button
              isSmall
              onPress={() => {
                drop(id);
                undo.act();
              }}
            >
              {undo.label}
            </Button>
          )}
          <IconButton icon="close" label={t('common.close')} onPress={() => drop(id)} />
        </div>
      ))}
    </section>,
    document.body,
  );
}
