import { stratifiedFolds, stratifiedHoldOut } from '#engine/metrics/split.ts';
import type { Calibration } from './calibration.ts';
import { examine, type HeldOut } from './judge.ts';
import { type Loss, lossOf } from './loss.ts';
import { panelWidth } from './matrix-kernel.ts';
import { Net, type Standard, standardOf } from './net.ts';
import { type HeadProblem, positivesOf } from './problem.ts';
import { randomFrom, shuffle } from './random.ts';
import { rowCountOf } from './rows.ts';
import { Schedule } from './schedule.ts';

export interface Fit {
  /** float32 [classes, dims] and [classes], for plain inputs. */
  weights: Float32Array;
  bias: Float32Array;
  calibration: Calibration;
  /** The strength of l2 used. */
  l2: number;
  epochsRun: number;
  /** Training loss per row, by epoch. */
  losses: number[];
  heldOut: HeldOut | null;
  /** Rows that these weights have not learned from; empty where all were learned from in the end. */
  unseen: Int32Array;
}

export interface Watch {
  /** 0..1, rising. */
  progress(fraction: number): void;
  cancelled(): boolean;
}

export class Cancelled extends Error {}

/** Up to so many rows, every row is held out once, in turn; above, one part of them once and for all. */
const crossRowsMax = 400;
const folds = 5;
/** With fewer rows, or a class of fewer, nothing is held out: every row is needed to learn from. */
const crossRowsMin = 10;
const classRowsMin = 3;
/** Up to so many rows the head is trained again on all of them. */
const refitRowsMax = 10_000;
/** Up to so many rows * dims * classes, several strengths of l2 are tried and the best kept. */
const trialsWorkMax = 60_000_000;
const strengthsTried = [0.05, 0.3, 1.2];
const strengthUsual = 0.7;
/** Nothing can be calibrated on a handful of rows; weaker l2 keeps their head from saying "perhaps" to all. */
const strengthOfFew = 0.05;
const stepsWanted = 500;
const epochsMin = 3;
const patienceMin = 4;
/** The highest rate of a run of up to so many passes; longer runs, of smaller sets, can afford longer steps. */
const peakRate = 0.004;
const peakEpochs = 4;
const peakRateMax = 0.016;

/**
 * Learns a head. The same problem gives the same bits.
 *
 * Adam over shuffled mini-batches with a rate that falls to zero; the strength of l2 that did best on
 * held-out rows is kept, and those rows also set the calibration. A run whose held-out loss has stopped falling
 * cools down and ends early.
 */
export function fitHead(problem: HeadProblem, watch: Watch): Fit {
  const rows = usableRows(problem);
  const parts = partsOf(problem, rows);
  const strengths = strengthsFor(problem, rows.length, parts.length);
  const refits = rows.length <= refitRowsMax;
  const passes = strengths.length * parts.length + (refits ? 1 : 0);
  let pass = 0;
  const nextWatch = () => {
    pass += 1;
    return watchPart(watch, (pass - 1) / passes, pass / passes);
  };
  const tried = strengths.map((strength) => tryOut(problem, parts, strength, nextWatch));
  const best = tried.reduce((one, other) => (other.calibratedLoss < one.calibratedLoss ? other : one));
  const { calibration, heldOut, strength, coolAfter } = best;
  const last = refits
    ? train(problem, { standard: standardOf(problem, rows), rows, strength, coolAfter }, nextWatch())
    : best.last;
  if (last === undefined) throw new Error('nothing was trained');
  return {
    ...last.net.plain(),
    calibration,
    heldOut,
    l2: strength,
    epochsRun: last.epochs,
    losses: last.losses,
    unseen: refits ? new Int32Array(0) : (parts[0] as Part).test,
  };
}

/** Rows to learn from, and rows to judge by. */
interface Part {
  kept: Int32Array;
  test: Int32Array;
}

interface TryOut {
  strength: number;
  calibration: Calibration;
  heldOut: HeldOut | null;
  calibratedLoss: number;
  coolAfter: number | undefined;
  last: Trained | undefined;
}

/** Learns from each part with one strength of l2, and judges the strength by all rows held out. */
function tryOut(problem: HeadProblem, parts: Part[], strength: number, nextWatch: () => Watch): TryOut {
  const { classes } = problem;
  const judged = parts.reduce((sum, { test }) => sum + test.length, 0);
  const rows = new Int32Array(judged);
  const logits = new Float32Array(judged * classes);
  const stops: number[] = [];
  let at = 0;
  let last: Trained | undefined;
  for (const { kept, test } of parts) {
    last = train(problem, { standard: standardOf(problem, kept), rows: kept, test, strength }, nextWatch());
    rows.set(test, at);
    logits.set(logitsOf(last.net, test, classes), at * classes);
    at += test.length;
    stops.push(last.coolAfter ?? Number.POSITIVE_INFINITY);
  }
  const middle = stops.sort((a, b) => a - b)[stops.length >> 1] ?? Number.POSITIVE_INFINITY;
  const coolAfter = Number.isFinite(middle) ? middle : undefined;
  return { strength, coolAfter, last, ...examine(problem, logits, rows) };
}

function partsOf(problem: HeadProblem, rows: Int32Array): Part[] {
  const groups = groupsOf(problem, rows);
  if (rows.length > crossRowsMax) {
    // A tenth of each class; fewer where there are plenty.
    const wanted = Math.min(rows.length * 0.1, Math.max(2000, 20 * problem.classes));
    const held = stratifiedHoldOut(groups, wanted / rows.length, problem.seed);
    return [{ kept: rows.filter((_, i) => held[i] === 0), test: rows.filter((_, i) => held[i] === 1) }];
  }
  const rarest = positivesOf(problem).reduce((least, count) => (count > 0 ? Math.min(least, count) : least));
  if (rows.length < crossRowsMin || rarest < classRowsMin) return [];
  const foldOf = stratifiedFolds(groups, folds, problem.seed);
  return Array.from({ length: folds }, (_, fold) => ({
    kept: rows.filter((_, i) => foldOf[i] !== fold),
    test: rows.filter((_, i) => foldOf[i] === fold),
  }));
}

function strengthsFor({ l2, dims, classes }: HeadProblem, rows: number, parts: number): number[] {
  if (l2 !== undefined) return [l2];
  if (parts === 0) return [strengthOfFew];
  return rows * dims * classes <= trialsWorkMax ? strengthsTried : [strengthUsual];
}

const watchPart = (watch: Watch, from: number, to: number): Watch => ({
  progress: (fraction) => watch.progress(from + (to - from) * fraction),
  cancelled: () => watch.cancelled(),
});

function usableRows({ vectors, dims, classes, exclusive, classIndex, labels }: HeadProblem): Int32Array {
  const all = Int32Array.from({ length: rowCountOf(vectors, dims) }, (_, row) => row);
  if (exclusive) return all.filter((row) => (classIndex?.[row] ?? -1) >= 0);
  return all.filter((row) =>
    labels?.subarray(row * classes, (row + 1) * classes).some((label) => label >= 0),
  );
}

/** Rows are grouped by class; with several labels, by the rarest class they have. */
function groupsOf(problem: HeadProblem, rows: Int32Array): Int32Array {
  const { classes, exclusive, classIndex, labels } = problem;
  if (exclusive) return rows.map((row) => classIndex?.[row] ?? -1);
  const counts = positivesOf(problem);
  return rows.map((row) => {
    let rarest = -1;
    for (let c = 0; c < classes; c += 1) {
      if (labels?.[row * classes + c] !== 1) continue;
      if (rarest < 0 || (counts[c] as number) < (counts[rarest] as number)) rarest = c;
    }
    return rarest;
  });
}

const batchFor = (rows: number): number =>
  Math.max(4, Math.min(256, 2 ** Math.floor(Math.log2(rows / 12 + 1))));

interface Round {
  standard: Standard;
  rows: Int32Array;
  strength: number;
  /** Rows to tell by when to stop. */
  test?: Int32Array;
  /** Or when to stop, known from an earlier run. */
  coolAfter?: number | undefined;
}

interface Trained {
  strength: number;
  net: Net;
  epochs: number;
  coolAfter: number | undefined;
  losses: number[];
}

function train(problem: HeadProblem, round: Round, watch: Watch): Trained {
  const { standard, rows, strength, test = new Int32Array(0), coolAfter } = round;
  const net = new Net(problem, standard, batchFor(rows.length));
  net.setBias(priorBias(problem));
  const loss = lossOf(problem);
  const random = randomFrom(problem.seed ^ 0x5eed);
  const order = Int32Array.from(rows);
  const stepsPerEpoch = Math.ceil(rows.length / net.batch);
  const epochs = Math.min(problem.epochsMax, Math.max(epochsMin, Math.ceil(stepsWanted / stepsPerEpoch)));
  const peak = Math.min(peakRateMax, peakRate * Math.sqrt(Math.max(1, epochs / peakEpochs)));
  const schedule = new Schedule(epochs, stepsPerEpoch, peak);
  if (coolAfter !== undefined) schedule.stopAfter(coolAfter);
  // In standardised space a vector of unit length has a squared length of `dims`.
  const decay = (strength * problem.dims) / rows.length;
  const plateau = new Plateau(Math.max(patienceMin, Math.ceil(epochs / 8)));
  const losses: number[] = [];
  for (let epoch = 1; epoch <= schedule.epochs; epoch += 1) {
    shuffle(order, random);
    let sum = 0;
    for (let step = 0; step < stepsPerEpoch; step += 1) {
      if (watch.cancelled()) throw new Cancelled('training was cancelled');
      const made = (epoch - 1) * stepsPerEpoch + step;
      sum += learn(net, loss, order, step * net.batch, schedule.rate(made), decay);
      if (made % 16 === 0) watch.progress(made / (epochs * stepsPerEpoch));
    }
    losses.push(sum / rows.length);
    if (test.length > 0 && plateau.reachedBy(lossOver(net, loss, test))) schedule.stopAfter(epoch);
  }
  watch.progress(1);
  return { strength, net, epochs: schedule.epochs, coolAfter: schedule.coolAfter, losses };
}

/** Notices that a loss has not become better by a thousandth for some epochs. */
class Plateau {
  readonly #patience: number;
  #best = Number.POSITIVE_INFINITY;
  #since = 0;

  constructor(patience: number) {
    this.#patience = patience;
  }

  reachedBy(loss: number): boolean {
    if (loss < this.#best * 0.999) {
      this.#best = loss;
      this.#since = 0;
    } else this.#since += 1;
    return this.#since >= this.#patience;
  }
}

function lossOver(net: Net, loss: Loss, rows: Int32Array): number {
  let sum = 0;
  for (let from = 0; from < rows.length; from += net.batch) {
    const to = Math.min(rows.length, from + net.batch);
    net.forward(rows, from, to);
    sum += loss(net, rows, from, to);
  }
  return sum / rows.length;
}

function learn(net: Net, loss: Loss, order: Int32Array, from: number, rate: number, decay: number): number {
  const to = Math.min(order.length, from + net.batch);
  net.forward(order, from, to);
  const sum = loss(net, order, from, to);
  net.step(rate, decay);
  return sum;
}

/** Starts each class at its frequency, so that the first steps are not spent on finding it. */
function priorBias(problem: HeadProblem): Float64Array {
  const counts = positivesOf(problem);
  const bias = new Float64Array(problem.classes);
  if (problem.classWeights === 'balanced') return bias.map((_, c) => ((counts[c] as number) > 0 ? 0 : -8));
  const rows = rowCountOf(problem.vectors, problem.dims);
  return bias.map((_, c) => {
    const share = ((counts[c] as number) + 0.5) / (rows + 1);
    return problem.exclusive ? Math.log(share) : Math.log(share / (1 - share));
  });
}

/** Logits of rows: float32 [rows, classes]. */
function logitsOf(net: Net, rows: Int32Array, classes: number): Float32Array {
  const logits = new Float32Array(rows.length * classes);
  for (let from = 0; from < rows.length; from += net.batch) {
    const to = Math.min(rows.length, from + net.batch);
    net.forward(rows, from, to);
    for (let i = from; i < to; i += 1) {
      for (let c = 0; c < classes; c += 1) {
        const cell = (c >> 3) * net.batch * panelWidth + (i - from) * panelWidth + (c & 7);
        logits[i * classes + c] = net.logits[cell] as number;
      }
    }
  }
  return logits;
}
