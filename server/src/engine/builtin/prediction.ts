import type { RecipeId } from '../convert/recipes.ts';
import type { Picture } from '../image.ts';
import type { Reduction, Tensors } from '../inference/messages.ts';
import type { FoundLine } from '../text-reading/table.ts';
import type { Box } from './boxes.ts';
import type { Label } from './labels.ts';

/** A concept and how sure the model is of it, 0..1. */
export interface PredictedConcept extends Label {
  value: number;
}

/** A point in 0..1 of the picture; `value` is how sure the model is of it. */
export interface PredictedPoint {
  name: string;
  row: number;
  col: number;
  value: number;
}

export interface PredictedRegion {
  /** In 0..1 of the upright picture. */
  box: Box;
  /** How sure the model is that something is there, 0..1. */
  value: number;
  concepts: PredictedConcept[];
  keypoints?: PredictedPoint[];
  /** Length one. */
  embedding?: Float32Array;
  /** Expected age in years. */
  ageYears?: number;
  /** What is written there. */
  text?: string;
}

export interface PredictedColor {
  /** The colour as it is in the picture, `#rrggbb`. */
  hex: string;
  /** The named web colour next to it. */
  w3cHex: string;
  w3cName: string;
  /** Share of the picture, 0..1. */
  value: number;
}

/** Where something of a kind is, pixel by pixel. */
export interface PredictedMask {
  /** PNG, white where it is. */
  mask: Buffer;
  /** Share of the picture, 0..1. */
  value: number;
  concepts: PredictedConcept[];
}

/** What a model says about one picture; which parts are present depends on the model. */
export interface Prediction {
  /** Surest first. */
  concepts?: PredictedConcept[];
  /** Surest first. */
  regions?: PredictedRegion[];
  /** Largest share first. */
  masks?: PredictedMask[];
  /** Length one. */
  embedding?: Float32Array;
  /** Largest share first. */
  colors?: PredictedColor[];
}

export interface PredictOptions {
  signal?: AbortSignal | undefined;
  /** Behind everything that a person waits for. */
  background?: boolean;
  /** Part of a request that was let in before: it is not turned away half-way because others wait. */
  isAdmitted?: boolean;
  /** 0..1; regions below it are left out. Each model has its own default. */
  confidenceMin?: number | undefined;
  /** Settings that only some models know, under the names of the contract. */
  params?: Readonly<Record<string, unknown>> | undefined;
}

/** What a built-in model may use while it predicts. */
export interface ModelRun {
  picture: Picture;
  options: PredictOptions;
  /** Runs a network, all outputs. */
  network(recipe: RecipeId, feeds: Tensors): Promise<Tensors>;
  /** Runs a network and reduces its outputs before they leave the worker. */
  reduced(recipe: RecipeId, feeds: Tensors, reduction: Reduction): Promise<unknown>;
  /** The lines of text in the picture, in reading order. */
  readText(): Promise<FoundLine[]>;
  /** Does something once for each picture, whichever models ask for it: a workflow asks several. */
  once<T>(key: string, make: () => Promise<T>): Promise<T>;
}

/** One uint8 picture of [edge, edge, 3] as the input `image`. */
export function imageFeed(pixels: Buffer, edge: number): Tensors {
  return { image: { type: 'uint8', dims: [1, edge, edge, 3], data: pixels } };
}

export function floatsOf(outputs: Tensors, name: string): Float32Array {
  const found = outputs[name]?.data;
  if (!(found instanceof Float32Array)) throw new Error(`the network has no float output ${name}`);
  return found;
}

export function ranked(concepts: PredictedConcept[]): PredictedConcept[] {
  return concepts.sort((a, b) => b.value - a.value);
}

export function withValues(labels: readonly Label[], values: ArrayLike<number>): PredictedConcept[] {
  return ranked(labels.map((label, index) => ({ ...label, value: values[index] ?? 0 })));
}

export function unitLength(values: Float32Array): Float32Array {
  const length = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  return length > 0 ? values.map((value) => value / length) : values;
}
