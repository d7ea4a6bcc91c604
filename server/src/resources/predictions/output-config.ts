import { create } from '@bufbuild/protobuf';
import {
  type Concept,
  type Data,
  type Model,
  type OutputConfig,
  OutputConfigSchema,
  type OutputInfo,
  type Region,
} from '@fovea/contract';
import { predictionFault } from './faults.ts';

/** How much of a prediction is shown. */
export interface OutputSettings {
  /** At most so many concepts, the surest; at least 1. */
  readonly conceptsMax: number;
  /** 0..1; weaker concepts and regions are left out. Undefined where nobody asked: models then use their own limit. */
  readonly valueMin: number | undefined;
  /** Set by the request itself rather than by the model. */
  readonly valueMinAsked: number | undefined;
  /** Ids or names; empty means all. */
  readonly selected: readonly string[];
  readonly language: string;
  /** Milliseconds of video for each frame that is looked at; undefined: as the app has it. */
  readonly sampleMs?: number | undefined;
}

const conceptsMaxDefault = 20;

/**
 * Settings of a prediction: what the request asks for, else what the model was made with, else the defaults.
 *
 * NOTE: from the request's model nothing but output_info is read; clients send back stale copies of everything
 * else (SEMANTICS trap 5).
 */
export function readSettings(
  asked: readonly (OutputInfo | OutputConfig | undefined)[],
  own: OutputInfo | undefined,
): OutputSettings {
  const requested = asked.filter((one) => one !== undefined).map(readOne);
  const made = own ? [readOne(own)] : [];
  const pick = <K extends keyof Read>(key: K): Read[K] | undefined =>
    [...requested, ...made].map((one) => one[key]).find((value) => value !== undefined);
  const valueMinAsked = requested.map((one) => one.valueMin).find((value) => value !== undefined);
  return {
    conceptsMax: pick('conceptsMax') ?? conceptsMaxDefault,
    valueMin: pick('valueMin'),
    valueMinAsked,
    selected: pick('selected') ?? [],
    language: pick('language') ?? '',
    sampleMs: pick('sampleMs'),
  };
}

/** Where a request may hide settings of its own: on the version (new clients) or on the model (old ones). */
export const overridesOf = (model: Model | undefined): (OutputInfo | undefined)[] => [
  model?.modelVersion?.outputInfo,
  model?.outputInfo,
];

interface Read {
  conceptsMax: number | undefined;
  valueMin: number | undefined;
  selected: string[] | undefined;
  language: string | undefined;
  sampleMs: number | undefined;
}

/** Zero is the wire's way of saying nothing. Settings stand in output_config, or as params of the same names. */
function readOne(info: OutputInfo | OutputConfig): Read {
  const isConfig = info.$typeName === 'clarifai.api.OutputConfig';
  const config = isConfig ? info : (info.outputConfig ?? create(OutputConfigSchema));
  const params = (isConfig ? {} : (info.params ?? {})) as Record<string, unknown>;
  const number = (value: unknown) => (typeof value === 'number' && value > 0 ? value : undefined);
  const selected =
    config.selectConcepts.length > 0
      ? config.selectConcepts.map((one) => one.id || one.name)
      : namesIn(params.select_concepts);
  return {
    conceptsMax: number(config.maxConcepts) ?? number(params.max_concepts),
    valueMin: number(config.minValue) ?? number(params.min_value),
    selected: selected.length > 0 ? selected : undefined,
    language: config.language || undefined,
    sampleMs: number(config.sampleMs) ?? number(params.sample_ms),
  };
}

function namesIn(list: unknown): string[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((item) => {
    if (typeof item === 'string') return [item];
    const { id, name } = (item ?? {}) as { id?: unknown; name?: unknown };
    return [id, name].find((value): value is string => typeof value === 'string' && value !== '') ?? [];
  });
}

const isSelected = (concept: Concept, selected: readonly string[]): boolean =>
  selected.includes(concept.id) || selected.includes(concept.name);

/** Selected words that none of the concepts has as id or name. */
export const unknownSelected = (
  concepts: readonly { id: string; name: string }[],
  selected: readonly string[],
): string[] => selected.filter((word) => !concepts.some((one) => one.id === word || one.name === word));

/**
 * Concepts, surest first. Selected ones are returned however sure or unsure they are: only a limit that the
 * request itself sets applies to them (SEMANTICS trap 35).
 */
export function limitConcepts(concepts: readonly Concept[], settings: OutputSettings): Concept[] {
  const ranked = [...concepts].sort((a, b) => b.value - a.value);
  if (settings.selected.length > 0) {
    return ranked.filter(
      (one) => isSelected(one, settings.selected) && one.value >= (settings.valueMinAsked ?? 0),
    );
  }
  return ranked.filter((one) => one.value >= (settings.valueMin ?? 0)).slice(0, settings.conceptsMax);
}

function limitRegions(regions: readonly Region[], settings: OutputSettings): Region[] {
  const kept = regions.filter((region) => {
    if (region.value < (settings.valueMin ?? 0)) return false;
    return (
      settings.selected.length === 0 ||
      (region.data?.concepts.some((one) => isSelected(one, settings.selected)) ?? false)
    );
  });
  return kept.sort((a, b) => b.value - a.value);
}

/** Cuts a prediction down to what the settings ask for. */
export function limited(data: Data, settings: OutputSettings): Data {
  data.concepts = limitConcepts(data.concepts, settings);
  data.regions = limitRegions(data.regions, settings);
  return data;
}

/** @throws Fault 21202 when concepts are selected and the model knows none of them */
export function checkSelected(
  concepts: readonly { id: string; name: string }[],
  selected: readonly string[],
): boolean {
  if (selected.length === 0) return true;
  const unknown = unknownSelected(concepts, selected);
  if (unknown.length === selected.length) throw predictionFault.nothingSelected(selected);
  return unknown.length === 0;
}
