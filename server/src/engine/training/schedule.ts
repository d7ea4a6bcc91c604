/** A run never cools down in less than this many epochs. */
const coolEpochsMin = 2;
/** An early cool-down takes as many epochs as ran before it; a quarter as many cost up to 4 points of accuracy. */
const coolShare = 1;

/**
 * The step rate over a run: a short rise, then half a cosine down to zero. A run that stops early does not stop
 * at once, for before its rate has fallen a head is noisy: it cools down from where it is.
 */
export class Schedule {
  epochs: number;
  readonly #planned: number;
  readonly #stepsPerEpoch: number;
  readonly #peak: number;
  #coolAfter: number | undefined;

  /** @param peak the highest rate */
  constructor(epochs: number, stepsPerEpoch: number, peak: number) {
    this.epochs = epochs;
    this.#planned = epochs;
    this.#stepsPerEpoch = stepsPerEpoch;
    this.#peak = peak;
  }

  /** Epochs run before an early cool-down began, if one did. */
  get coolAfter(): number | undefined {
    return this.#coolAfter;
  }

  /** Begins the cool-down after so many epochs, unless the planned end is as near. */
  stopAfter(epoch: number): void {
    const end = epoch + Math.max(coolEpochsMin, Math.ceil(epoch * coolShare));
    if (this.#coolAfter !== undefined || end >= this.#planned) return;
    this.#coolAfter = epoch;
    this.epochs = end;
  }

  /** @param step steps made so far in the whole run */
  rate(step: number): number {
    const plannedSteps = this.#planned * this.#stepsPerEpoch;
    if (this.#coolAfter === undefined) return this.#plannedRate(step / plannedSteps);
    const from = this.#coolAfter * this.#stepsPerEpoch;
    if (step < from) return this.#plannedRate(step / plannedSteps);
    const cooled = (step - from) / (this.epochs * this.#stepsPerEpoch - from);
    return this.#plannedRate(from / plannedSteps) * halfCosine(cooled);
  }

  #plannedRate(done: number): number {
    return this.#peak * Math.min(1, (done + 0.005) / 0.05) * halfCosine(done);
  }
}

const halfCosine = (done: number): number => 0.5 * (1 + Math.cos(Math.PI * done));
