import { type KeyboardEvent, type PointerEvent, type ReactNode, useRef } from 'react';
import { colorOf } from '../../gallery/colors.ts';

/** A stretch from..to of a line; `to` is where it ends. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** What stands on a line: bars, and marks for moments. */
export interface Lane {
  readonly key: string;
  readonly name: string;
  readonly color: string;
  readonly bars: readonly Range[];
  readonly moments: readonly number[];
  readonly isChosen?: boolean;
  choose?: () => void;
  readonly actions?: ReactNode;
}

const percent = (value: number, length: number): string =>
  `${((100 * value) / Math.max(1, length)).toFixed(4)}%`;

const placed = ({ from, to }: Range, length: number) => ({
  insetInlineStart: percent(from, length),
  width: percent(Math.max(0, to - from), length),
});

export interface TimelineProps {
  readonly label: string;
  /** Frames of a video, milliseconds of a sound. */
  readonly length: number;
  readonly at: number;
  /** How the place is said. */
  readonly said: string;
  readonly range: Range | undefined;
  readonly lanes: readonly Lane[];
  /** How far a key goes. */
  readonly step: number;
  /** Lies under the ruler: the waveform of a sound. */
  readonly picture?: string | undefined;
  seek(to: number): void;
  setRange(range: Range | undefined): void;
}

/**
 * A line of time with what stands on it. The ruler is a slider: drawn along it the place follows, with Shift a
 * stretch is marked.
 */
export function Timeline(props: TimelineProps) {
  const { label, length, at, said, range, lanes, step, picture, seek, setRange } = props;
  const ruler = useRef<HTMLDivElement>(null);
  const began = useRef<number | undefined>(undefined);
  const placeOf = (event: PointerEvent): number => {
    const element = ruler.current as HTMLDivElement;
    const { left, width, right } = element.getBoundingClientRect();
    const along =
      getComputedStyle(element).direction === 'rtl' ? right - event.clientX : event.clientX - left;
    return Math.min(length - 1, Math.max(0, Math.floor((along / Math.max(1, width)) * length)));
  };
  const follow = (event: PointerEvent) => {
    const to = placeOf(event);
    if (began.current === undefined) return;
    if (event.shiftKey) setRange({ from: Math.min(began.current, to), to: Math.max(began.current, to) + 1 });
    seek(to);
  };
  const press = (event: KeyboardEvent) => {
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageUp: 10, PageDown: -10 }[
      event.key
    ];
    const mirrored = getComputedStyle(ruler.current as HTMLDivElement).direction === 'rtl' ? -1 : 1;
    const isAlong = event.key === 'ArrowLeft' || event.key === 'ArrowRight';
    if (by !== undefined) seek(at + by * step * (isAlong ? mirrored : 1));
    else if (event.key === 'Home') seek(0);
    else if (event.key === 'End') seek(length - 1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div className="timeline">
      <div className="timeline-row">
        <span className="timeline-name" />
        <div
          className={`timeline-ruler${picture ? ' pictured' : ''}`}
          ref={ruler}
          role="slider"
          tabIndex={0}
          aria-label={label}
          aria-valuemin={0}
          aria-valuemax={length - 1}
          aria-valuenow={at}
          aria-valuetext={said}
          onKeyDown={press}
          onPointerDown={(event) => {
            event.currentTarget.setPointerCapture(event.pointerId);
            began.current = placeOf(event);
            if (!event.shiftKey) setRange(undefined);
            follow(event);
          }}
          onPointerMove={follow}
          onPointerUp={() => {
            began.current = undefined;
          }}
        >
          {picture && <img className="on-paper" src={picture} alt="" draggable={false} />}
          {range && <span className="timeline-range" style={placed(range, length)} />}
          <span className="timeline-head" style={{ insetInlineStart: percent(at, length) }} />
        </div>
      </div>
      <ul className="plain timeline-lanes">
        {lanes.map((lane) => (
          <li key={lane.key} className={`timeline-row${lane.isChosen ? ' selected' : ''}`}>
            <span className="timeline-name">
              <button type="button" aria-pressed={lane.isChosen ?? false} onClick={lane.choose}>
                <svg className="swatch" viewBox="0 0 10 10" aria-hidden="true">
                  <circle cx="5" cy="5" r="5" fill={lane.color} />
                </svg>
                <span>{lane.name}</span>
              </button>
              {lane.actions}
            </span>
            <span className="timeline-lane" aria-hidden="true">
              {lane.bars.map((bar) => (
                <span
                  key={`${bar.from}-${bar.to}`}
                  className="timeline-bar"
                  style={{ ...placed(bar, length), background: lane.color }}
                />
              ))}
              {lane.moments.map((moment) => (
                <span
                  key={moment}
                  className="timeline-moment"
                  style={{ insetInlineStart: percent(moment + 0.5, length), background: lane.color }}
                  onPointerDown={() => {
                    lane.choose?.();
                    seek(moment);
                  }}
                />
              ))}
              <span className="timeline-head" style={{ insetInlineStart: percent(at, length) }} />
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}

export const laneColor = (conceptId: string | undefined): string =>
  conceptId === undefined ? '#8a8a8a' : colorOf(conceptId);
