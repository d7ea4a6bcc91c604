import { useCallback, useEffect, useMemo, useState, useSyncExternalStore } from 'react';
import { useTranslation } from 'react-i18next';
import { framePath, hostedPath, nameOf } from '../../api/media.ts';
import type { VideoParts } from '../../canvas/autosave.ts';
import type { Editor } from '../../canvas/editor.ts';
import type { EditorState } from '../../canvas/editor-state.ts';
import { timecode } from '../../canvas/frames.ts';
import type { Mark } from '../../canvas/shapes.ts';
import { keyframeBeside, stretchesOf, tracksOf } from '../../canvas/tracks.ts';
import { formatNumber } from '../../i18n/format.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { TroubleNote } from '../../ui/states.tsx';
import { useModelsOf } from './ask-model.ts';
import { Canvas } from './canvas-view.tsx';
import { useLabelKeys } from './keys.ts';
import { LabelHeader, type Opened, useLabelling, ZoomButtons } from './labelling.tsx';
import { MarkList } from './mark-list.tsx';
import { ObjectList } from './object-list.tsx';
import { Player, type PlayerState } from './player.ts';
import { Segmenting, SegmentingHint, segmenterTypes } from './segmenting.tsx';
import { Suggestions } from './suggestions.tsx';
import { type Lane, laneColor, Timeline } from './timeline.tsx';
import { Toolbar } from './toolbar.tsx';

/** A video on the canvas, frame by frame, with its objects and stretches on a line of time below. */
export function VideoLabeller({ video, ...opened }: Opened & { video: VideoParts }) {
  const { t } = useTranslation();
  const { app, input } = opened;
  const { clock } = video;
  const [frameAtFirst] = useState(() => startFrame(clock.count));
  const labelling = useLabelling({ ...opened, video, frame: frameAtFirst });
  const { editor, state } = labelling;
  const segmenters = useModelsOf(app, segmenterTypes);
  const player = useMemo(
    () =>
      new Player(editor, clock, {
        video: hostedPath(input.data?.video?.hosted, 'orig'),
        frame: (frame) => framePath(input, frame),
      }),
    [editor, clock, input],
  );
  useEffect(() => {
    player.open(frameAtFirst);
    return () => player.close();
  }, [player, frameAtFirst]);
  const playing = useSyncExternalStore(player.subscribe, player.snapshot);
  const first = useCallback((event: KeyboardEvent) => pressed(event, editor, player), [editor, player]);
  useLabelKeys(editor, labelling, first);
  const { frame } = playing;
  useEffect(() => {
    if (playing.isPlaying) return;
    const timer = setTimeout(() => keepFrame(frame), 300);
    return () => clearTimeout(timer);
  }, [frame, playing.isPlaying]);
  const segments = (state.drawing.marks ?? []).filter(({ kind }) => kind === 'segment');
  const framesOf = ({ from, to }: Mark) => ({
    from: clock.at(from),
    to: Math.max(clock.at(from), clock.at(Math.max(from, to - 1))) + 1,
  });
  const markRange = () => {
    const { range } = player.snapshot();
    if (range) editor.mark('segment', clock.timeOf(range.from), clock.endOf(range.to - 1));
  };
  return (
    <div className="labeller video">
      <LabelHeader labelling={labelling}>
        <ZoomButtons editor={editor} scale={state.scale} />
      </LabelHeader>
      <Toolbar editor={editor} state={state} canSegment={segmenters.models.length > 0} />
      <Canvas editor={editor} label={nameOf(input)} />
      <aside className="labeller-side" aria-label={t('label.objects')}>
        {playing.trouble !== undefined && (
          <TroubleNote thrown={playing.trouble} retry={() => player.seek(frame)} />
        )}
        <Segmenting editor={editor} state={state} app={app} segmenters={segmenters} />
        <ObjectList editor={editor} state={state} />
        <MarkList
          editor={editor}
          marks={segments}
          title={t('marks.segments', { count: segments.length })}
          said={({ from, to }) => `${timecode(from)}–${timecode(to)}`}
          goTo={(mark) => {
            player.setRange(framesOf(mark));
            player.seek(framesOf(mark).from);
          }}
        />
        <Suggestions editor={editor} state={state} app={app} />
        <SegmentingHint app={app} state={state} segmenters={segmenters} />
      </aside>
      <div className="labeller-time">
        <Controls
          player={player}
          playing={playing}
          editor={editor}
          state={state}
          count={clock.count}
          timeMs={clock.timeOf(frame)}
          durationMs={clock.durationMs}
          markRange={markRange}
        />
        <Timeline
          label={t('video.timeline')}
          length={clock.count}
          at={frame}
          said={t('video.place', { frame, time: timecode(clock.timeOf(frame)) })}
          range={playing.range}
          step={1}
          seek={(to) => player.seek(to)}
          setRange={(range) => player.setRange(range)}
          lanes={[
            ...tracksOf(state.drawing.shapes).map(
              (track): Lane => ({
                key: track.id,
                name: track.concept?.name ?? t('label.noConcept'),
                color: laneColor(track.concept?.id),
                bars: stretchesOf(track).map(({ from, to }) => ({ from, to: to + 1 })),
                moments: track.keyframes.map((shape) => shape.frame ?? 0),
                isChosen: state.track === track.id,
                choose: () => editor.chooseTrack(track.id),
                actions: (
                  <IconButton
                    icon="trash"
                    label={t('video.deleteTrack', { name: track.concept?.name ?? t('label.noConcept') })}
                    onPress={() => editor.deleteTrack(track.id)}
                  />
                ),
              }),
            ),
            ...[...Map.groupBy(segments, ({ concept }) => concept.id)].map(
              ([conceptId, some]): Lane => ({
                key: `segments ${conceptId}`,
                name: some[0]?.concept.name ?? conceptId,
                color: laneColor(conceptId),
                bars: some.map(framesOf),
                moments: [],
                choose: () => player.seek(framesOf(some[0] as Mark).from),
              }),
            ),
          ]}
        />
      </div>
    </div>
  );
}

/** The frame that the address names: `?frame=37`. */
const startFrame = (count: number): number =>
  Math.min(count - 1, Math.max(0, Number(new URLSearchParams(location.search).get('frame')) || 0));

/** The address says where somebody is, without a step of the browser's history for every frame. */
function keepFrame(frame: number): void {
  const url = new URL(location.href);
  if (frame === 0) url.searchParams.delete('frame');
  else url.searchParams.set('frame', String(frame));
  if (url.href !== location.href) history.replaceState(history.state, '', url);
}

/** Keys of videos, before those of all canvases. @returns whether the key meant something */
function pressed(event: KeyboardEvent, editor: Editor, player: Player): boolean {
  if (event.altKey) return false;
  const { isPlaying, frame, range } = player.snapshot();
  const { track, drawing } = editor.snapshot();
  const act = (work: unknown) => work !== false;
  if (event.ctrlKey || event.metaKey) {
    const direction = event.key === 'ArrowLeft' ? -1 : event.key === 'ArrowRight' ? 1 : undefined;
    if (direction === undefined || !event.shiftKey) return false;
    const chosen = tracksOf(drawing.shapes).find(({ id }) => id === track);
    const to = chosen && keyframeBeside(chosen, frame, direction);
    return to !== undefined && act(player.seek(to));
  }
  switch (event.key.length === 1 ? event.key.toLowerCase() : event.key) {
    case ' ':
      if ((event.target as Element).closest('button, [role=slider]')?.matches('button')) return false;
      return act(player.toggle());
    case ',':
      return act(player.step(-1));
    case '.':
      return act(player.step(1));
    case 'c':
      return act(player.step(10));
    case 'x':
      return act(player.step(-10));
    case '<':
      return act(player.setRange({ from: frame, to: Math.max(frame + 1, range?.to ?? 0) }));
    case '>':
      return act(player.setRange({ from: Math.min(frame, range?.from ?? frame), to: frame + 1 }));
    case 'j':
      return act(player.shuttle(-1));
    case 'l':
      return event.shiftKey ? false : act(player.shuttle(1));
    case 'k':
      return act(isPlaying ? player.seek(frame) : editor.toggleKeyframe());
    case 'o':
      return act(editor.toggleOutside());
    case 'Delete':
    case 'Backspace':
      return event.shiftKey && track !== undefined && act(editor.deleteTrack(track));
    case 'Home':
      return act(player.seek(0));
    case 'End':
      return act(player.seek(Number.MAX_SAFE_INTEGER));
    default:
      return false;
  }
}

function Controls({
  player,
  playing,
  editor,
  state,
  count,
  timeMs,
  durationMs,
  markRange,
}: {
  player: Player;
  playing: PlayerState;
  editor: Editor;
  state: EditorState;
  count: number;
  timeMs: number;
  durationMs: number;
  markRange: () => void;
}) {
  const { t } = useTranslation();
  const { frame, isPlaying, range, isLooping, speed } = playing;
  const here = editor.allHere.find(({ trackId }) => state.track !== undefined && trackId === state.track);
  const isKey = here !== undefined && !editor.between.has(here.id);
  return (
    <div className="row video-controls" role="toolbar" aria-label={t('video.controls')}>
      <IconButton icon="stepBack" label={t('video.back')} shortcut="," onPress={() => player.step(-1)} />
      <IconButton
        icon={isPlaying ? 'pause' : 'play'}
        look="plain"
        label={t(isPlaying ? 'video.pause' : 'video.play')}
        shortcut="Space"
        onPress={() => player.toggle()}
      />
      <IconButton icon="stepOn" label={t('video.on')} shortcut="." onPress={() => player.step(1)} />
      <FrameField frame={frame} count={count} seek={(to) => player.seek(to)} />
      <span className="small number" data-frame={state.frame} data-waiting={playing.isWaiting}>
        {timecode(timeMs)} <span className="quiet">/ {timecode(durationMs)}</span>
      </span>
      {isPlaying && speed !== 1 && <span className="badge">{formatNumber(speed)}×</span>}
      <span className="grow" />
      <Button
        isSmall
        icon="keyframe"
        aria-keyshortcuts="K"
        aria-pressed={isKey}
        isDisabled={state.track === undefined}
        onPress={() => editor.toggleKeyframe()}
      >
        {t('video.keyframe')}
      </Button>
      <Button
        isSmall
        icon="eyeOff"
        aria-keyshortcuts="O"
        aria-pressed={here?.outsideAfter ?? false}
        isDisabled={here === undefined}
        onPress={() => editor.toggleOutside()}
      >
        {t('video.outside')}
      </Button>
      <Button
        isSmall
        aria-keyshortcuts="<"
        onPress={() => player.setRange({ from: frame, to: Math.max(frame + 1, range?.to ?? 0) })}
      >
        {t('video.rangeFrom')}
      </Button>
      <Button
        isSmall
        aria-keyshortcuts=">"
        onPress={() => player.setRange({ from: Math.min(frame, range?.from ?? frame), to: frame + 1 })}
      >
        {t('video.rangeTo')}
      </Button>
      <Button
        isSmall
        icon="refresh"
        aria-pressed={isLooping}
        isDisabled={range === undefined}
        onPress={() => player.setLooping(!isLooping)}
      >
        {t('video.loop')}
      </Button>
      <Button
        isSmall
        icon="label"
        isDisabled={range === undefined || state.concept === undefined}
        onPress={markRange}
      >
        {t('video.markRange', { concept: state.concept?.name ?? '' })}
      </Button>
    </div>
  );
}

/** The number of the frame, which can also be typed. */
function FrameField({ frame, count, seek }: { frame: number; count: number; seek: (frame: number) => void }) {
  const { t } = useTranslation();
  const [typed, setTyped] = useState<string>();
  const take = () => {
    if (typed !== undefined && /^\d+$/.test(typed.trim())) seek(Number(typed));
    setTyped(undefined);
  };
  return (
    <span className="row frame-field small">
      <span className="quiet" aria-hidden="true">
        {t('video.frame')}
      </span>
      <input
        aria-label={t('video.frame')}
        inputMode="numeric"
        value={typed ?? String(frame)}
        onChange={(event) => setTyped(event.target.value)}
        onBlur={take}
        onKeyDown={(event) => {
          // It is taken with the focus; the next key is one of the canvas.
          if (event.key === 'Enter') event.currentTarget.blur();
          if (event.key === 'Escape') setTyped(undefined);
        }}
      />
      <span className="quiet number">/ {formatNumber(count - 1)}</span>
    </span>
  );
}
