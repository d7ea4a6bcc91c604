import type { Input } from '@fovea/contract/rest';
import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react';
import { useTranslation } from 'react-i18next';
import { nameOf } from '../../api/media.ts';
import { type AppName, refresh } from '../../api/queries.ts';
import { Link } from '../../app/link.tsx';
import { go, pathTo } from '../../app/place.ts';
import { Autosave, type SaveState } from '../../canvas/autosave.ts';
import { Editor } from '../../canvas/editor.ts';
import type { Drawing } from '../../canvas/shapes.ts';
import type { Size } from '../../canvas/view.ts';
import { formatPercent } from '../../i18n/format.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { Icon } from '../../ui/icon.tsx';
import { say, sayTrouble } from '../../ui/notices.tsx';
import { Filmstrip, useNeighbours } from './filmstrip.tsx';
import { useLabelKeys } from './keys.ts';
import { ObjectList } from './object-list.tsx';
import { Suggestions } from './suggestions.tsx';
import { Toolbar } from './toolbar.tsx';

/** The canvas with what belongs to it: tools at the start, objects at the end, other pictures below. */
export function PictureLabeller({
  app,
  input,
  picture,
  size,
  saved,
  draft,
}: {
  app: AppName;
  input: Input;
  picture: HTMLImageElement;
  size: Size;
  saved: Drawing;
  draft: Drawing | undefined;
}) {
  const { t } = useTranslation();
  const inputId = input.id ?? '';
  const [saveState, setSaveState] = useState<SaveState>({ kind: 'saved' });
  const parts = useMemo(() => {
    const autosave = new Autosave(app, inputId, size, saved, setSaveState);
    const editor = new Editor(size, saved, (drawing) => autosave.save(drawing));
    editor.setPicture(picture);
    return { autosave, editor };
  }, [app, inputId, size, saved, picture]);
  const { editor, autosave } = parts;
  useEffect(() => {
    if (!draft) return;
    editor.replace(draft);
    say(t('label.draftBack'));
  }, [draft, editor, t]);
  useEffect(
    () => () => {
      autosave.close();
      void refresh('ListAnnotations', 'GetInput');
    },
    [autosave],
  );
  useEffect(() => {
    const warn = (event: BeforeUnloadEvent) => autosave.isDirty && event.preventDefault();
    window.addEventListener('beforeunload', warn);
    return () => window.removeEventListener('beforeunload', warn);
  }, [autosave]);
  const state = useSyncExternalStore(editor.subscribe, editor.snapshot);
  const neighbours = useNeighbours(app, input);
  const leave = useCallback(
    async (id: string | undefined) => {
      if (id === undefined) return;
      editor.finish();
      await autosave.flush();
      go(pathTo(app.user_id, app.app_id, 'inputs', id), { replace: true });
    },
    [app, autosave, editor],
  );
  useLabelKeys(editor, {
    next: () => void leave(neighbours.next).catch(sayTrouble),
    previous: () => void leave(neighbours.previous).catch(sayTrouble),
    save: () => void autosave.flush(),
  });
  return (
    <div className="labeller">
      <header className="labeller-header">
        <Link
          className="button ghost icon-only"
          href={pathTo(app.user_id, app.app_id, 'inputs')}
          aria-label={t('label.back')}
        >
          <Icon name="arrowLeft" />
        </Link>
        <h1>{nameOf(input)}</h1>
        <SaveNote state={saveState} retry={() => void autosave.flush()} />
        <span className="grow" />
        <IconButton
          icon="undo"
          label={t('common.undo')}
          shortcut="Ctrl+Z"
          isDisabled={!state.canUndo}
          onPress={() => editor.undo()}
        />
        <IconButton
          icon="redo"
          label={t('common.redo')}
          shortcut="Ctrl+Shift+Z"
          isDisabled={!state.canRedo}
          onPress={() => editor.redo()}
        />
        <IconButton
          icon="zoomOut"
          label={t('label.zoomOut')}
          shortcut="-"
          onPress={() => editor.zoomBy(1 / 1.25)}
        />
        <Button
          look="ghost"
          aria-label={`${formatPercent(state.scale, 0)}, ${t('label.zoomFull')}`}
          onPress={() => editor.zoomToFull()}
        >
          {formatPercent(state.scale, 0)}
        </Button>
        <IconButton
          icon="zoomIn"
          label={t('label.zoomIn')}
          shortcut="+"
          onPress={() => editor.zoomBy(1.25)}
        />
        <IconButton icon="fit" label={t('label.fit')} shortcut="0" onPress={() => editor.fit()} />
        <Button
          icon="arrowRight"
          look="primary"
          isDisabled={neighbours.next === undefined}
          onPress={() => void leave(neighbours.next).catch(sayTrouble)}
        >
          {t('label.next')}
        </Button>
      </header>
      <Toolbar editor={editor} state={state} />
      <Canvas editor={editor} label={nameOf(input)} />
      <aside className="labeller-side" aria-label={t('label.objects')}>
        <ObjectList editor={editor} state={state} />
        <Suggestions editor={editor} state={state} app={app} inputId={inputId} size={size} />
      </aside>
      <Filmstrip app={app} input={input} onChoose={(id) => void leave(id).catch(sayTrouble)} />
    </div>
  );
}

function SaveNote({ state, retry }: { state: SaveState; retry: () => void }) {
  const { t } = useTranslation();
  return (
    <span className="save-note" role="status" data-state={state.kind}>
      {state.kind === 'saved' && (
        <span className="badge good">
          <Icon name="check" size={13} /> {t('save.saved')}
        </span>
      )}
      {state.kind === 'saving' && <span className="badge">{t('save.saving')}</span>}
      {state.kind === 'waiting' && (
        <span className="badge warn">{t('save.waiting', { count: state.changes })}</span>
      )}
      {state.kind === 'failed' && (
        <>
          <span className="badge danger">{t('save.failed', { count: state.changes })}</span>
          <Button
            isSmall
            onPress={() => {
              sayTrouble(state.thrown);
              retry();
            }}
          >
            {t('common.tryAgain')}
          </Button>
        </>
      )}
    </span>
  );
}

/** Two canvases, one over the other: the picture, and what is drawn on it. */
export function Canvas({ editor, label }: { editor: Editor; label: string }) {
  const { t } = useTranslation();
  const holder = useRef<HTMLDivElement>(null);
  const picture = useRef<HTMLCanvasElement>(null);
  const shapes = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const element = holder.current as HTMLDivElement;
    const top = shapes.current as HTMLCanvasElement;
    editor.attach(picture.current as HTMLCanvasElement, top);
    const measure = () => editor.resize({ width: element.clientWidth, height: element.clientHeight });
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    const at = (event: MouseEvent) => {
      const { left, top } = element.getBoundingClientRect();
      return { x: event.clientX - left, y: event.clientY - top };
    };
    const wheel = (event: WheelEvent) => {
      event.preventDefault();
      if (event.shiftKey) editor.panBy({ x: -event.deltaY, y: -event.deltaX });
      else editor.zoomBy(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0015)), at(event));
    };
    const down = (event: PointerEvent) => {
      top.setPointerCapture(event.pointerId);
      top.focus({ preventScroll: true });
      editor.down(at(event), event);
    };
    const move = (event: PointerEvent) => {
      for (const step of event.getCoalescedEvents?.() ?? []) editor.move(at(step));
      editor.move(at(event));
    };
    const listeners: readonly (readonly [string, (event: never) => void])[] = [
      ['wheel', wheel],
      ['pointerdown', down],
      ['pointermove', move],
      ['pointerup', () => editor.up()],
      ['pointercancel', () => editor.up()],
      ['pointerleave', () => editor.leave()],
      ['dblclick', (event: MouseEvent) => editor.doubleClick(at(event))],
    ];
    for (const [name, listener] of listeners)
      top.addEventListener(name, listener as EventListener, { passive: false });
    return () => {
      observer.disconnect();
      for (const [name, listener] of listeners) top.removeEventListener(name, listener as EventListener);
    };
  }, [editor]);
  return (
    <div className="canvas" ref={holder}>
      <canvas ref={picture} />
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: keys work here; the list beside it says the same in words */}
      <canvas ref={shapes} tabIndex={0} role="img" aria-label={t('label.canvas', { name: label })} />
    </div>
  );
}
