import { useTranslation } from 'react-i18next';
import { Dialog } from '../ui/dialog.tsx';

/** Each way to press it, keys of one way by `+`, and what it does. */
type Shortcut = readonly [ways: string, words: string];

/** Shortcuts by the place where they work. Screens add theirs here, so that `?` shows them all. */
const groups: readonly { readonly title: string; readonly keys: readonly Shortcut[] }[] = [
  {
    title: 'shortcuts.everywhere',
    keys: [
      ['?', 'shortcuts.help'],
      ['/', 'shortcuts.search'],
      ['G O I D M W J S', 'shortcuts.go'],
      ['Esc', 'shortcuts.close'],
    ],
  },
  {
    title: 'shortcuts.gallery',
    keys: [
      ['← → ↑ ↓', 'shortcuts.move'],
      ['Shift+←→', 'shortcuts.markTo'],
      ['X Ctrl+Click', 'shortcuts.mark'],
      ['Enter', 'shortcuts.open'],
      ['Space', 'shortcuts.preview'],
      ['Home End', 'shortcuts.ends'],
    ],
  },
  {
    title: 'shortcuts.labelling',
    keys: [
      ['V R P B E K S', 'shortcuts.tools'],
      ['N', 'shortcuts.lastTool'],
      ['Shift+N', 'shortcuts.newBox'],
      ['1 … 9', 'shortcuts.digit'],
      ['←→↑↓ Shift+←→↑↓', 'shortcuts.nudge'],
      ['Ctrl+←→↑↓', 'shortcuts.grow'],
      ['Enter', 'shortcuts.finish'],
      ['Esc', 'shortcuts.cancel'],
      ['F D → ←', 'shortcuts.next'],
      ['Ctrl+Enter', 'shortcuts.saveNext'],
      ['Ctrl+S', 'shortcuts.save'],
      ['Ctrl+Z', 'common.undo'],
      ['Ctrl+Shift+Z Ctrl+Y', 'common.redo'],
      ['Ctrl+C Ctrl+V', 'shortcuts.copy'],
      ['Ctrl+D', 'shortcuts.duplicate'],
      ['Ctrl+A', 'shortcuts.selectAll'],
      ['Del Backspace', 'shortcuts.delete'],
      ['H Shift+H', 'shortcuts.hide'],
      ['L Shift+L', 'shortcuts.lock'],
      ['PageUp PageDown', 'shortcuts.order'],
      ['[ ]', 'shortcuts.brush'],
      ['+ −', 'shortcuts.zoom'],
      ['0 Shift+1', 'shortcuts.fit'],
      ['Z', 'shortcuts.zoomSelected'],
      ['Space', 'shortcuts.pan'],
    ],
  },
  {
    title: 'shortcuts.video',
    keys: [
      ['Space', 'shortcuts.play'],
      [', .', 'shortcuts.step'],
      ['X C', 'shortcuts.tenFrames'],
      ['J L', 'shortcuts.shuttle'],
      ['K', 'shortcuts.keyframe'],
      ['O', 'shortcuts.outside'],
      ['< >', 'shortcuts.range'],
      ['Ctrl+Shift+← Ctrl+Shift+→', 'shortcuts.besideKeyframe'],
      ['Home End', 'shortcuts.ends'],
      ['Shift+Del', 'shortcuts.deleteTrack'],
    ],
  },
  { title: 'shortcuts.graph', keys: [['Del Backspace', 'shortcuts.deleteNode']] },
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
              {keys.map(([ways, words]) => (
                <div key={words}>
                  <dt dir="ltr">
                    {ways.split(' ').map((way) => (
                      <kbd key={way}>{way}</kbd>
                    ))}
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
