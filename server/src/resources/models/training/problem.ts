import type { LabelRow } from './data-store.ts';

/**
 * What is labelled, inputs and regions of them, in the order of the inputs. There may be millions: everything lies in
 * columns of numbers, 36 bytes a sample and 4 a label.
 */
export interface Samples {
  readonly count: number;
  /** Row key of each sample's input. */
  readonly inputKeys: Float64Array;
  /** Row key of the region's annotation; 0 for labels on the whole input. */
  readonly regionKeys: Float64Array;
  /** Row key of the annotation whose embedding stands for the sample; 0 where it has none. */
  readonly vectorKeys: Float64Array;
  /** Where each sample's labels begin, and where the last one's end: [count + 1]. */
  readonly starts: Int32Array;
  /** 2 × index of the concept, and 1 more where it is present. Concepts that nobody spoke of are missing. */
  readonly labels: Int32Array;
}

/** Numbers of which nobody knows how many there will be. */
class Column<Numbers extends Float64Array | Int32Array> {
  #held: Numbers;
  #length = 0;

  constructor(held: Numbers) {
    this.#held = held;
  }

  get length(): number {
    return this.#length;
  }

  push(value: number): void {
    if (this.#length === this.#held.length) {
      const larger = new (this.#held.constructor as new (length: number) => Numbers)(this.#length * 2);
      larger.set(this.#held);
      this.#held = larger;
    }
    this.#held[this.#length] = value;
    this.#length += 1;
  }

  last(): number | undefined {
    return this.#length === 0 ? undefined : this.#held[this.#length - 1];
  }

  done(): Numbers {
    return this.#held.slice(0, this.#length) as Numbers;
  }
}

const roomAtFirst = 1_024;
const keys = () => new Column(new Float64Array(roomAtFirst));

/** Gathers labels, which come in the order of inputs and regions, into samples. */
export function openSamples(conceptIds: readonly string[]) {
  const indexOf = new Map(conceptIds.map((id, index) => [id, index]));
  const [inputKeys, regionKeys, vectorKeys] = [keys(), keys(), keys()];
  const starts = new Column(new Int32Array(roomAtFirst));
  const labels = new Column(new Int32Array(roomAtFirst));
  return {
    add({ inputKey, regionKey, vectorKey, conceptId, value }: LabelRow): void {
      const index = indexOf.get(conceptId);
      if (index === undefined) return;
      if (inputKeys.last() !== inputKey || regionKeys.last() !== regionKey) {
        inputKeys.push(inputKey);
        regionKeys.push(regionKey);
        vectorKeys.push(vectorKey ?? 0);
        starts.push(labels.length);
      }
      labels.push(2 * index + Number(value >= 0.5));
    },
    done(): Samples {
      const count = inputKeys.length;
      starts.push(labels.length);
      return {
        count,
        inputKeys: inputKeys.done(),
        regionKeys: regionKeys.done(),
        vectorKeys: vectorKeys.done(),
        starts: starts.done(),
        labels: labels.done(),
      };
    },
  };
}

/** Inputs without labels, as samples. */
export function unlabelledSamples(
  inputs: readonly { readonly inputKey: number; readonly vectorKey: number | null }[],
): Samples {
  return {
    count: inputs.length,
    inputKeys: Float64Array.from(inputs, ({ inputKey }) => inputKey),
    regionKeys: new Float64Array(inputs.length),
    vectorKeys: Float64Array.from(inputs, ({ vectorKey }) => vectorKey ?? 0),
    starts: new Int32Array(inputs.length + 1),
    labels: new Int32Array(0),
  };
}

/** The samples that a test lets through, in their order. */
export function samplesWhere(samples: Samples, isWanted: (at: number) => boolean): Samples {
  const rows = Int32Array.from({ length: samples.count }, (_, at) => at).filter(isWanted);
  if (rows.length === samples.count) return samples;
  const starts = new Int32Array(rows.length + 1);
  rows.forEach((row, at) => {
    starts[at + 1] = (starts[at] as number) + labelsOfSample(samples, row).length;
  });
  const labels = new Int32Array(starts[rows.length] as number);
  rows.forEach((row, at) => {
    labels.set(labelsOfSample(samples, row), starts[at]);
  });
  const of = (column: Float64Array) => Float64Array.from(rows, (row) => column[row] as number);
  return {
    count: rows.length,
    inputKeys: of(samples.inputKeys),
    regionKeys: of(samples.regionKeys),
    vectorKeys: of(samples.vectorKeys),
    starts,
    labels,
  };
}

const labelsOfSample = ({ starts, labels }: Samples, at: number): Int32Array =>
  labels.subarray(starts[at], starts[at + 1]);

/** How many inputs the samples are of. */
export function inputsOf({ count, inputKeys }: Samples): number {
  let inputs = 0;
  for (let at = 0; at < count; at += 1) if (at === 0 || inputKeys[at] !== inputKeys[at - 1]) inputs += 1;
  return inputs;
}

/**
 * Concept of each sample where exactly one may be true: the one labelled present. Samples with none, or with
 * several, teach nothing and are left out.
 *
 * @returns -1 for those left out
 */
export function exclusiveLabels(samples: Samples): Int32Array {
  const classes = new Int32Array(samples.count);
  for (let at = 0; at < samples.count; at += 1) {
    const present = labelsOfSample(samples, at).filter((label) => (label & 1) === 1);
    classes[at] = present.length === 1 ? (present[0] as number) >> 1 : -1;
  }
  return classes;
}

/**
 * Labels of samples where every concept stands for itself.
 *
 * @param enrich unsaid counts as absent for samples that have another concept
 * @returns int8 [samples, classes]: 1 present, 0 absent, -1 unknown
 */
export function independentLabels(samples: Samples, classes: number, enrich: boolean): Int8Array {
  const labels = new Int8Array(samples.count * classes).fill(-1);
  for (let at = 0; at < samples.count; at += 1) {
    const said = labelsOfSample(samples, at);
    if (enrich && said.some((label) => (label & 1) === 1)) labels.fill(0, at * classes, (at + 1) * classes);
    for (const label of said) labels[at * classes + (label >> 1)] = label & 1;
  }
  return labels;
}

/** Whether some concept has examples of its presence and none of its absence. */
export function lacksNegatives(labels: Int8Array, classes: number): boolean {
  const present = new Array<boolean>(classes).fill(false);
  const absent = new Array<boolean>(classes).fill(false);
  labels.forEach((label, at) => {
    if (label === 1) present[at % classes] = true;
    if (label === 0) absent[at % classes] = true;
  });
  return present.some((has, index) => has && !absent[index]);
}
