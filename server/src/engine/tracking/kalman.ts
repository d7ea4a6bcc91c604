import type { Box } from '../builtin/boxes.ts';

/** Boxes are in 0..1; the filter works in thousandths of the picture, so that its errors read like pixels. */
const unit = 1_000;
/** How much a speed may change from frame to frame, as a variance in units of 1/1000. */
const speedNoise = 1;
const placeNoise = 1;

export interface KalmanSettings {
  /** Variance of a new track's place and, ten times as much, of its speed. */
  covarianceError: number;
  /** Variance of a measured edge or size. */
  observationError: number;
}

/** One number and its speed, with their covariance. */
interface Axis {
  place: number;
  speed: number;
  pp: number;
  ps: number;
  ss: number;
}

/**
 * A box that moves with constant speed: middle and size, each with a speed of its own.
 *
 * Middle and size do not influence each other in this model (all noise is independent), so the eight-dimensional
 * filter falls apart into four filters of two numbers, with the same result.
 *
 * Source: Kalman 1960; the state of SORT (Bewley et al. 2016) with width and height instead of area and ratio.
 */
export class BoxFilter {
  readonly #axes: Axis[];
  readonly #settings: KalmanSettings;

  constructor(box: Box, settings: KalmanSettings) {
    this.#settings = settings;
    const { covarianceError: error } = settings;
    this.#axes = measured(box).map((place) => ({ place, speed: 0, pp: error, ps: 0, ss: 10 * error }));
  }

  /** Moves on by one frame. @returns where the box should be */
  predict(): Box {
    for (const axis of this.#axes) {
      axis.place += axis.speed;
      axis.pp += 2 * axis.ps + axis.ss + placeNoise;
      axis.ps += axis.ss;
      axis.ss += speedNoise;
    }
    return this.box();
  }

  /** Takes in where the box was seen. */
  correct(box: Box): void {
    measured(box).forEach((seen, index) => {
      const axis = this.#axes[index] as Axis;
      const spread = axis.pp + this.#settings.observationError;
      const toPlace = axis.pp / spread;
      const toSpeed = axis.ps / spread;
      const surprise = seen - axis.place;
      axis.place += toPlace * surprise;
      axis.speed += toSpeed * surprise;
      axis.ss -= toSpeed * axis.ps;
      axis.ps -= toPlace * axis.ps;
      axis.pp -= toPlace * axis.pp;
    });
  }

  box(): Box {
    const [x, y, width, height] = this.#axes.map(({ place }) => place / unit) as [
      number,
      number,
      number,
      number,
    ];
    const half = { x: Math.max(0, width) / 2, y: Math.max(0, height) / 2 };
    return { left: x - half.x, top: y - half.y, right: x + half.x, bottom: y + half.y };
  }
}

const measured = ({ left, top, right, bottom }: Box): number[] =>
  [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top].map((value) => value * unit);
