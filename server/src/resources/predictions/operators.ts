import { createContext, Script } from 'node:vm';
import { clone, create } from '@bufbuild/protobuf';
import {
  type Concept,
  type Data,
  DataSchema,
  type OutputInfo,
  type Region,
  RegionSchema,
  TextSchema,
} from '@fovea/contract';
import { predictionFault } from './faults.ts';

/** A step that computes on data without a network: thresholds, counters, prompts. Pure but for `random-sample`. */
export type Operator = (data: Data, settings: OutputInfo | undefined) => Data;

const compare: Readonly<Record<number, (value: number, limit: number) => boolean>> = {
  1: (value, limit) => value > limit,
  2: (value, limit) => value >= limit,
  3: (value, limit) => value < limit,
  4: (value, limit) => value <= limit,
  5: (value, limit) => value === limit,
};

const comparisonNumbers: Readonly<Record<string, number>> = {
  GREATER_THAN: 1,
  GREATER_THAN_OR_EQUAL_TO: 2,
  LESS_THAN: 3,
  LESS_THAN_OR_EQUAL_TO: 4,
  EQUAL: 5,
};

const param = (settings: OutputInfo | undefined, name: string): unknown =>
  (settings?.params as Record<string, unknown> | undefined)?.[name];

const textParam = (settings: OutputInfo | undefined, name: string): string => {
  const value = param(settings, name);
  return typeof value === 'string' ? value : '';
};

const numberParam = (settings: OutputInfo | undefined, name: string, fallback: number): number => {
  const value = Number(param(settings, name) ?? fallback);
  return Number.isFinite(value) ? value : fallback;
};

/** Whether a concept passes; concepts without a threshold of their own do not. */
function threshold(settings: OutputInfo | undefined): (concept: Concept) => boolean {
  const type = param(settings, 'concept_threshold_type');
  const number = typeof type === 'string' ? (comparisonNumbers[type] ?? Number(type)) : Number(type ?? 1);
  const passes = compare[number] ?? compare[1];
  const limits = new Map(settings?.data?.concepts.map((concept) => [concept.id, concept.value]));
  return (concept) => {
    const limit = limits.get(concept.id);
    return limit !== undefined && (passes?.(concept.value, limit) ?? false);
  };
}

function thresholdRegions(data: Data, settings: OutputInfo | undefined): Data {
  const passes = threshold(settings);
  const regions = data.regions.flatMap((region) => {
    const concepts = region.data?.concepts.filter(passes) ?? [];
    if (concepts.length === 0) return [];
    const kept = clone(RegionSchema, region);
    if (kept.data) kept.data.concepts = concepts;
    return [kept];
  });
  return create(DataSchema, { regions });
}

/** Reading order: lines from top to bottom, words of a line from left to right. */
function joinTexts(regions: readonly Region[]): string {
  const box = (region: Region) => region.regionInfo?.boundingBox;
  const found = regions.filter((region) => region.data?.text?.raw);
  const byRow = [...found].sort((a, b) => (box(a)?.topRow ?? 0) - (box(b)?.topRow ?? 0));
  const lines: Region[][] = [];
  for (const region of byRow) {
    const line = lines.at(-1);
    const first = line?.[0] && box(line[0]);
    const middle = ((box(region)?.topRow ?? 0) + (box(region)?.bottomRow ?? 0)) / 2;
    if (line && first && middle < first.bottomRow) line.push(region);
    else lines.push([region]);
  }
  return lines
    .map((line) =>
      line
        .sort((a, b) => (box(a)?.leftCol ?? 0) - (box(b)?.leftCol ?? 0))
        .map((region) => region.data?.text?.raw)
        .join(' '),
    )
    .join('\n');
}

function countRegions(data: Data): Data {
  const counts: Record<string, number> = {};
  for (const region of data.regions) {
    const name = region.data?.concepts[0]?.name;
    if (name) counts[name] = (counts[name] ?? 0) + 1;
  }
  return create(DataSchema, { metadata: { object_count: data.regions.length, counts } });
}

const textLengthMax = 100_000;
const regexTimeMs = 100;
/** Patterns that once took too long, and until when they are refused without trying: one caller must not stall the others again and again. */
const slowPatterns = new Map<string, number>();
const slowForMs = 10 * 60_000;
const slowPatternsMax = 1_000;
const searchRoom = createContext({ pattern: '', text: '' });
const search = new Script('new RegExp(pattern, "u").test(text)');

/**
 * Whether a pattern of somebody's own matches. Patterns can be made to take for ever, so the search is stopped
 * after 100 ms (the engine of the language notices that even inside a search) and the pattern is refused for ten minutes.
 *
 * @throws Fault 21202 for a pattern that is none, or that takes too long
 */
function matchesPattern(pattern: string, text: string): boolean {
  if ((slowPatterns.get(pattern) ?? 0) > Date.now())
    throw predictionFault.badPattern('it takes too long on texts like this');
  try {
    searchRoom.pattern = pattern;
    searchRoom.text = text.slice(0, textLengthMax);
    return search.runInContext(searchRoom, { timeout: regexTimeMs }) === true;
  } catch (cause) {
    if ((cause as { code?: string }).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') {
      if (slowPatterns.size >= slowPatternsMax) slowPatterns.clear();
      slowPatterns.set(pattern, Date.now() + slowForMs);
    }
    throw predictionFault.badPattern(cause instanceof Error ? cause.message : String(cause));
  }
}

function classifyByRegex(data: Data, settings: OutputInfo | undefined): Data {
  const matches = matchesPattern(textParam(settings, 'regex'), data.text?.raw ?? '');
  const concepts = matches
    ? (settings?.data?.concepts ?? []).map((concept) => ({ ...concept, value: 1 }))
    : [];
  return create(DataSchema, { concepts });
}

/** The operators this server computes, by model type. Those that cut pictures live with the pictures. */
export const operators: Readonly<Record<string, Operator>> = {
  'concept-threshold': (data, settings) =>
    create(DataSchema, { concepts: data.concepts.filter(threshold(settings)) }),
  'region-threshold': thresholdRegions,
  'object-counter': countRegions,
  'text-aggregation-operator': (data) => create(DataSchema, { text: { raw: joinTexts(data.regions) } }),
  'regex-based-classifier': classifyByRegex,
  prompter: (data, settings) => {
    const template = textParam(settings, 'prompt_template') || '{data.text.raw}';
    return create(DataSchema, {
      text: create(TextSchema, { raw: template.replaceAll('{data.text.raw}', () => data.text?.raw ?? '') }),
    });
  },
  'random-sample': (data, settings) =>
    numberParam(settings, 'keep_fraction', 1) > Math.random() ? data : create(DataSchema),
  // Writing happens where a workflow runs as the base workflow of an app; predictions only pass the data on.
  'annotation-writer': (data) => data,
};

export const cropMarginOf = (settings: OutputInfo | undefined): number => numberParam(settings, 'margin', 1);
