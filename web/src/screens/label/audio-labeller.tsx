import { useCallback, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { hostedPath } from '../../api/media.ts';
import { timecode } from '../../canvas/frames.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { useLabelKeys } from './keys.ts';
import { LabelHeader, type Opened, useLabelling } from './labelling.tsx';
import { MarkList } from './mark-list.tsx';
import { ConceptChoices, WholeLabels } from './object-list.tsx';
import { type Lane, laneColor, type Range, Timeline } from './timeline.tsx';

const stepMs = 100;

/** A sound over its waveform, with labels for stretches of it and for the whole. */
export function AudioLabeller({ durationMs: told, ...opened }: Opened & { durationMs: number }) {
  const { t } = useTranslation();
  const { input } = opened;
  const labelling = useLabelling(opened);
  const { editor, state } = labelling;
  const sound = useRef<HTMLAudioElement>(null);
  const [durationMs, setDuration] = useState(told);
  const [at, setAt] = useState(0);
  const [range, setRange] = useState<Range>();
  const [isLooping, setLooping] = useState(false);
  const [isPlaying, setPlaying] = useState(false);
  const seek = useCallback(
    (to: number) => {
      const ms = Math.min(durationMs, Math.max(0, Math.round(to)));
      if (sound.current) sound.current.currentTime = ms / 1000;
      setAt(ms);
    },
    [durationMs],
  );
  const toggle = useCallback(() => {
    const player = sound.current;
    if (player?.paused) void player.play().catch(() => undefined);
    else player?.pause();
  }, []);
  useEffect(() => {
    if (!isPlaying) return;
    let request = 0;
    const follow = () => {
      const ms = Math.round((sound.current?.currentTime ?? 0) * 1000);
      if (isLooping && range && ms >= range.to) seek(range.from);
      else setAt(ms);
      request = requestAnimationFrame(follow);
    };
    request = requestAnimationFrame(follow);
    return () => cancelAnimationFrame(request);
  }, [isPlaying, isLooping, range, seek]);
  const first = useCallback(
    (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return false;
      const now = Math.round((sound.current?.currentTime ?? 0) * 1000);
      switch (event.key) {
        case ' ':
          if ((event.target as Element).closest('button, a')) return false;
          toggle();
          return true;
        case ',':
          seek(now - stepMs);
          return true;
        case '.':
          seek(now + stepMs);
          return true;
        case '<':
          setRange((before) => ({ from: now, to: Math.max(now + 1, before?.to ?? 0) }));
          return true;
        case '>':
          setRange((before) => ({ from: Math.min(now, before?.from ?? 0), to: Math.max(1, now) }));
          return true;
        default:
          return false;
      }
    },
    [seek, toggle],
  );
  useLabelKeys(editor, labelling, first);
  const segments = (state.drawing.marks ?? []).filter(({ kind }) => kind === 'segment');
  return (
    <div className="labeller plain-medium">
      <LabelHeader labelling={labelling} />
      <div className="labeller-main stack">
        <audio
          ref={sound}
          src={hostedPath(input.data?.audio?.hosted, 'orig')}
          onPlay={() => setPlaying(true)}
          onPause={() => setPlaying(false)}
          onLoadedMetadata={(event) => {
            const seconds = event.currentTarget.duration;
            if (Number.isFinite(seconds) && durationMs === 0) setDuration(Math.round(seconds * 1000));
          }}
        >
          <track kind="captions" />
        </audio>
        <div className="row video-controls" role="toolbar" aria-label={t('video.controls')}>
          <IconButton
            icon={isPlaying ? 'pause' : 'play'}
            look="plain"
            label={t(isPlaying ? 'video.pause' : 'video.play')}
            shortcut="Space"
            onPress={toggle}
          />
          <span className="small number">
            {timecode(at)} <span className="quiet">/ {timecode(durationMs)}</span>
          </span>
          <span className="grow" />
          <Button
            isSmall
            aria-keyshortcuts="<"
            onPress={() => setRange({ from: at, to: Math.max(at + 1, range?.to ?? 0) })}
          >
            {t('video.rangeFrom')}
          </Button>
          <Button
            isSmall
            aria-keyshortcuts=">"
            onPress={() => setRange({ from: Math.min(at, range?.from ?? 0), to: Math.max(1, at) })}
          >
            {t('video.rangeTo')}
          </Button>
          <Button
            isSmall
            icon="refresh"
            aria-pressed={isLooping}
            isDisabled={range === undefined}
            onPress={() => setLooping(!isLooping)}
          >
            {t('video.loop')}
          </Button>
          <Button
            isSmall
            icon="label"
            isDisabled={range === undefined || state.concept === undefined}
            onPress={() => range && editor.mark('segment', range.from, range.to)}
          >
            {t('video.markRange', { concept: state.concept?.name ?? '' })}
          </Button>
        </div>
        <Timeline
          label={t('video.timeline')}
          length={Math.max(1, durationMs)}
          at={at}
          said={timecode(at)}
          range={range}
          step={stepMs}
          picture={hostedPath(input.data?.audio?.hosted, 'thumbnail')}
          seek={seek}
          setRange={setRange}
          lanes={[...Map.groupBy(segments, ({ concept }) => concept.id)].map(
            ([conceptId, some]): Lane => ({
              key: conceptId,
              name: some[0]?.concept.name ?? conceptId,
              color: laneColor(conceptId),
              bars: some,
              moments: [],
              choose: () => seek(some[0]?.from ?? 0),
            }),
          )}
        />
      </div>
      <aside className="labeller-side" aria-label={t('label.objects')}>
        <WholeLabels editor={editor} state={state} />
        <ConceptChoices editor={editor} state={state} title={t('marks.as')} />
        <MarkList
          editor={editor}
          marks={segments}
          title={t('marks.segments', { count: segments.length })}
          said={({ from, to }) => `${timecode(from)}–${timecode(to)}`}
          goTo={({ from, to }) => {
            setRange({ from, to });
            seek(from);
          }}
        />
      </aside>
    </div>
  );
}
