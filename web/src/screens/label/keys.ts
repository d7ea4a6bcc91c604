import { useEffect } from 'react';
import { isTyping } from '../../app/is-typing.ts';
import type { Editor } from '../../canvas/editor.ts';
import type { Tool } from '../../canvas/pointer.ts';
import { digitConcepts } from './digits.ts';

const toolKeys: Readonly<Record<string, Tool>> = {
  v: 'select',
  r: 'box',
  p: 'polygon',
  b: 'brush',
  e: 'eraser',
  k: 'point',
  s: 'segment',
};

const arrows: Readonly<Record<string, { x: number; y: number }>> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};

/**
 * Keys of the labelling screens. `first` may take a key before its usual meaning. Letters are those of the key, so
 * they work under any keyboard layout that has them.
 */
export function useLabelKeys(
  editor: Editor,
  ways: { next: () => void; previous: () => void; save: () => void },
  first: (event: KeyboardEvent) => boolean = () => false,
): void {
  useEffect(() => {
    const down = (event: KeyboardEvent) => {
      if (
        isTyping(event.target) ||
        (event.target as Element).closest('[role=dialog], [role=menu], [role=listbox]')
      )
        return;
      if (first(event) || press(editor, ways, event)) event.preventDefault();
    };
    const up = (event: KeyboardEvent) => {
      if (event.key === ' ') editor.pointer.setSpace(false);
    };
    document.addEventListener('keydown', down);
    document.addEventListener('keyup', up);
    return () => {
      document.removeEventListener('keydown', down);
      document.removeEventListener('keyup', up);
    };
  }, [editor, ways, first]);
}

/** @returns whether the key meant something */
function press(
  editor: Editor,
  ways: { next: () => void; previous: () => void; save: () => void },
  event: KeyboardEvent,
): boolean {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const isControl = event.ctrlKey || event.metaKey;
  const { selected, brushRadius } = editor.snapshot();
  const arrow = arrows[event.key];
  const done = (act: unknown) => act !== false;
  if (arrow && selected.size > 0) {
    const step = event.shiftKey ? 10 : 1;
    const by = { x: arrow.x * step, y: arrow.y * step };
    return done(isControl ? editor.grow(by) : editor.nudge(by));
  }
  if (isControl) {
    switch (key) {
      case 'z':
        return done(event.shiftKey ? editor.redo() : editor.undo());
      case 'y':
        return done(editor.redo());
      case 's':
        return done(ways.save());
      case 'c':
        // Words that are selected are what is meant to be copied.
        return getSelection()?.isCollapsed === false ? false : done(editor.copy());
      case 'v':
        return done(editor.paste());
      case 'd':
        return done(editor.duplicate());
      case 'a':
        return done(editor.select(editor.shapesHere.map(({ id }) => id)));
      case 'Enter':
        return done(ways.next());
      default:
        return false;
    }
  }
  if (event.altKey) return false;
  const tool = toolKeys[key];
  if (tool && !event.shiftKey) return done(editor.setTool(tool));
  const digit = /^[1-9]$/.test(key) ? digitConcepts(editor)[Number(key) - 1] : undefined;
  if (digit) return done(editor.setConcept(digit));
  switch (key) {
    case 'n':
      return done(event.shiftKey ? editor.addByKeyboard() : editor.takeLastTool());
    case 'f':
    case 'ArrowRight':
      return done(ways.next());
    case 'd':
    case 'ArrowLeft':
      return done(ways.previous());
    case 'Delete':
    case 'Backspace':
      return done(editor.delete());
    case 'h':
      return done(
        editor.toggleHidden(event.shiftKey ? new Set(editor.allHere.map(({ id }) => id)) : selected),
      );
    case 'l':
      return done(editor.toggleLock(event.shiftKey ? new Set(editor.allHere.map(({ id }) => id)) : selected));
    case 'PageUp':
      return done(editor.order(1));
    case 'PageDown':
      return done(editor.order(-1));
    case '[':
      return done(editor.setBrushRadius(brushRadius / 1.2));
    case ']':
      return done(editor.setBrushRadius(brushRadius * 1.2));
    case '0':
      return done(editor.stage.fit());
    case '!':
      return done(editor.stage.zoomToFull());
    case '+':
    case '=':
      return done(editor.stage.zoomBy(1.25));
    case '-':
      return done(editor.stage.zoomBy(1 / 1.25));
    case 'z':
      return done(editor.fitSelected());
    case ' ':
      return done(editor.pointer.setSpace(true));
    case 'Enter':
      return done(editor.finish());
    case 'Escape':
      return editor.cancel();
    case 'Tab':
      return false;
    default:
      return false;
  }
}
