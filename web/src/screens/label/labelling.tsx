import type { Input } from '@fovea/contract/rest';
import { type ReactNode, useCallback, useEffect, useMemo, useState, useSyncExternalStore } from 'react';
import { useTranslation } from 'react-i18next';
import { nameOf } from '../../api/media.ts';
import { type AppName, refresh } from '../../api/queries.ts';
import { Link } from '../../app/link.tsx';
import { go, pathTo } from '../../app/place.ts';
import { Autosave, type SaveState, type VideoParts } from '../../canvas/autosave.ts';
import { Editor } from '../../canvas/editor.ts';
import type { EditorState } from '../../canvas/editor-state.ts';
import type { Drawing } from '../../canvas/shapes.ts';
import type { Size } from '../../canvas/view.ts';
import { formatPercent } from '../../i18n/format.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { Icon } from '../../ui/icon.tsx';
import { say, sayTrouble } from '../../ui/notices.tsx';
import { useNeighbours } from './filmstrip.tsx';

/** An input that is open to be labelled, with what the server has of it. */
export interface Opened {
  readonly app: AppName;
  readonly input: Input;
  readonly size: Size;
  readonly saved: Drawing;
  /** What this browser kept because the server did not have it yet. */
  readonly draft: Drawing | undefined;
  readonly video?: VideoParts;
  /** The frame of a video that is shown first. */
  readonly frame?: number;
}

export interface Labelling {
  readonly app: AppName;
  readonly input: Input;
  readonly editor: Editor;
  readonly state: EditorState;
  readonly saveState: SaveState;
  readonly hasNext: boolean;
  next(): void;
  previous(): void;
  save(): void;
  open(id: string): void;
}

/** The drawing of an open input, saved as it changes, and the ways to the inputs beside it. */
export function useLabelling({ app, input, size, saved, draft, video, frame }: Opened): Labelling {
  const { t } = useTranslation();
  const inputId = input.id ?? '';
  const [saveState, setSaveState] = useState<SaveState>({ kind: 'saved' });
  const { editor, autosave } = useMemo(() => {
    const autosave = new Autosave(app, inputId, size, saved, setSaveState, video);
    const editor = new Editor(size, saved, (drawing) => autosave.save(drawing), frame);
    return { autosave, editor };
  }, [app, inputId, size, saved, video, frame]);
  useEffect(() => {
    if (!draft) return;
    editor.replace(draft);
    say(t('label.draftBack'));
  }, [draft, editor, t]);
  useEffect(
    () => () => {
      autosave.close();
      void refresh('ListAnnotations');
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
      editor.pointer.finish();
      await autosave.flush();
      go(pathTo(app.user_id, app.app_id, 'inputs', id), { replace: true });
    },
    [app, autosave, editor],
  );
  const open = (id: string | undefined) => void leave(id).catch(sayTrouble);
  return {
    app,
    input,
    editor,
    state,
    saveState,
    hasNext: neighbours.next !== undefined,
    next: () => open(neighbours.next),
    previous: () => open(neighbours.previous),
    save: () => void autosave.flush(),
    open,
  };
}

/** The way back, the name, whether all is saved, undo and redo, what the kind of medium adds, and the way on. */
export function LabelHeader({ labelling, children }: { labelling: Labelling; children?: ReactNode }) {
  const { t } = useTranslation();
  const { app, input, editor, state, saveState } = labelling;
  return (
    <header className="labeller-header">
      <Link
        className="button ghost icon-only"
        href={pathTo(app.user_id, app.app_id, 'inputs')}
        aria-label={t('label.back')}
      >
        <Icon name="arrowLeft" />
      </Link>
      <h1>{nameOf(input)}</h1>
      <SaveNote state={saveState} retry={labelling.save} />
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
      {children}
      <Button icon="arrowRight" look="primary" isDisabled={!labelling.hasNext} onPress={labelling.next}>
        {t('label.next')}
      </Button>
    </header>
  );
}

/** Closer and further, for what is drawn on a canvas. */
export function ZoomButtons({ editor, scale }: { editor: Editor; scale: number }) {
  const { t } = useTranslation();
  return (
    <>
      <IconButton
        icon="zoomOut"
        label={t('label.zoomOut')}
        shortcut="-"
        onPress={() => editor.stage.zoomBy(1 / 1.25)}
      />
      <Button
        look="ghost"
        aria-label={`${formatPercent(scale, 0)} · ${t('label.zoomFull')}`}
        onPress={() => editor.stage.zoomToFull()}
      >
        {formatPercent(scale, 0)}
      </Button>
      <IconButton
        icon="zoomIn"
        label={t('label.zoomIn')}
        shortcut="+"
        onPress={() => editor.stage.zoomBy(1.25)}
      />
      <IconButton icon="fit" label={t('label.fit')} shortcut="0" onPress={() => editor.stage.fit()} />
    </>
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
