import type { LabelRow } from './data-store.ts';

/** What is labelled: an input, or a region of one. */
export interface Sample {
  readonly inputKey: number;
  readonly regionKey: number;
  readonly vectorKey: number | null;
  /** By index of the concept: 1 present, 0 absent; missing where nobody said. */
  readonly labels: ReadonlyMap<number, number>;
}

/** Gathers the labels of each input or region, in the order they come. */
export function samplesOf(labels: readonly LabelRow[], conceptIds: readonly string[]): Sample[] {
  const indexOf = new Map(conceptIds.map((id, index) => [id, index]));
  const samples = new Map<string, Sample & { labels: Map<number, number> }>();
  for (const label of labels) {
    const index = indexOf.get(label.conceptId);
    if (index === undefined) continue;
    const name = `${label.inputKey}/${label.regionKey}`;
    let sample = samples.get(name);
    if (!sample) {
      sample = {
        inputKey: label.inputKey,
        regionKey: label.regionKey,
        vectorKey: label.vectorKey,
        labels: new Map(),
      };
      samples.set(name, sample);
    }
    sample.labels.set(index, label.value >= 0.5 ? 1 : 0);
  }
  return [...samples.values()];
}

/**
 * Concept of each sample where exactly one may be true: the one labelled present. Samples with none, or with
 * several, teach nothing and are left out.
 *
 * @returns -1 for those left out
 */
export const exclusiveLabels = (samples: readonly Sample[]): Int32Array =>
  Int32Array.from(samples, ({ labels }) => {
    const present = [...labels].filter(([, value]) => value === 1);
    return present.length === 1 ? (present[0] as [number, number])[0] : -1;
  });

/**
 * Labels of samples where every concept stands for itself.
 *
 * @param enrich unsaid counts as absent for samples that have another concept
 * @returns int8 [samples, classes]: 1 present, 0 absent, -1 unknown
 */
export function independentLabels(samples: readonly Sample[], classes: number, enrich: boolean): Int8Array {
  const labels = new Int8Array(samples.length * classes).fill(-1);
  samples.forEach((sample, row) => {
    const hasAny = [...sample.labels.values()].includes(1);
    for (let index = 0; index < classes; index += 1) {
      const said = sample.labels.get(index);
      labels[row * classes + index] = said ?? (enrich && hasAny ? 0 : -1);
    }
  });
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
