import { useTranslation } from 'react-i18next';
import { Dialog } from '../ui/dialog.tsx';

/** Shortcuts by the place where they work. Screens add theirs here, so that `?` shows them all. */
const groups: readonly { readonly title: string; readonly keys: readonly (readonly [string, string])[] }[] = [
  { title: 'shortcuts.everywhere', keys: [['?', 'shortcuts.help']] },
];

export function ShortcutsDialog({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  const { t } = useTranslation();
  return (
    <Dialog title={t('shortcuts.title')} isOpen={isOpen} onClose={onClose} size="large">
      <div className="shortcut-groups">
        {groups.map(({ title, keys }) => (
          <section key={title}>
            <h3>{t(title)}</h3>
            <dl className="shortcuts">
              {keys.map(([key, words]) => (
                <div key={key}>
                  <dt>
                    <kbd dir="ltr">{key}</kbd>
                  </dt>
                  <dd>{t(words)}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
