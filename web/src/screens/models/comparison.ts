import type {
  BinaryMetrics,
  EvalMetrics,
  EvalTestSetEntry,
  Input,
  MetricsSummary,
} from '@fovea/contract/rest';
import { bestOf, isRight } from './test-set.ts';

/** An input of which two evaluations say something else. */
export interface ChangedInput {
  readonly input: Input;
  readonly before: readonly EvalTestSetEntry[];
  readonly after: readonly EvalTestSetEntry[];
}

export interface ChangedInputs {
  /** More of what was there is found first than before. */
  readonly better: readonly ChangedInput[];
  readonly worse: readonly ChangedInput[];
  /** As much is right, but something else is said. */
  readonly other: readonly ChangedInput[];
  /** Inputs that both have looked at. */
  readonly common: number;
}

/** What changed between two evaluations, input by input; those that only one has looked at are left out. */
export function changedInputs(
  before: readonly EvalTestSetEntry[],
  after: readonly EvalTestSetEntry[],
): ChangedInputs {
  const known = byInput(before);
  const changed = { better: [] as ChangedInput[], worse: [] as ChangedInput[], other: [] as ChangedInput[] };
  let common = 0;
  for (const [id, now] of byInput(after)) {
    const was = known.get(id);
    const input = now[0]?.input;
    if (!was || !input) continue;
    common++;
    const change = { input, before: was, after: now };
    const gain = now.filter(isRight).length / now.length - was.filter(isRight).length / was.length;
    if (gain !== 0) changed[gain > 0 ? 'better' : 'worse'].push(change);
    else if (saidOf(was) !== saidOf(now)) changed.other.push(change);
  }
  return { ...changed, common };
}

function byInput(entries: readonly EvalTestSetEntry[]): Map<string, EvalTestSetEntry[]> {
  const found = new Map<string, EvalTestSetEntry[]>();
  for (const entry of entries) {
    const id = entry.input?.id ?? '';
    const known = found.get(id);
    if (known) known.push(entry);
    else found.set(id, [entry]);
  }
  return found;
}

const saidOf = (entries: readonly EvalTestSetEntry[]): string => entries.map(bestOf).toSorted().join(' ');

/** Figures of a whole evaluation that can be compared, those that none of them has left out. */
export function summariesOf(
  evaluations: readonly EvalMetrics[],
): { readonly name: keyof MetricsSummary; readonly values: readonly (number | undefined)[] }[] {
  return figures
    .map((name) => ({ name, values: evaluations.map(({ summary }) => summary?.[name] || undefined) }))
    .filter(({ values }) => values.some((value) => value !== undefined));
}

const figures = [
  'top1_accuracy',
  'macro_avg_f1_score',
  'macro_avg_roc_auc',
  'macro_avg_precision',
  'macro_avg_recall',
  'mean_avg_precision_iou_50',
  'mean_avg_precision_iou_range',
] as const;

/** What each evaluation says of each concept that any of them knows, in the order of their names. */
export function conceptsOf(evaluations: readonly EvalMetrics[]): {
  readonly id: string;
  readonly name: string;
  readonly metrics: readonly (BinaryMetrics | undefined)[];
}[] {
  const names = new Map(
    evaluations.flatMap((one) =>
      (one.binary_metrics ?? []).map(({ concept }) => [
        concept?.id ?? '',
        concept?.name || (concept?.id ?? ''),
      ]),
    ) as [string, string][],
  );
  return [...names]
    .map(([id, name]) => ({
      id,
      name,
      metrics: evaluations.map((one) => one.binary_metrics?.find(({ concept }) => concept?.id === id)),
    }))
    .toSorted((a, b) => a.name.localeCompare(b.name));
}
