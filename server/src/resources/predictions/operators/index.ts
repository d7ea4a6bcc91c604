import { create } from '@bufbuild/protobuf';
import { DataSchema } from '@fovea/contract';
import { mapSynonyms } from './concepts.ts';
import { cropRegions, cutIntoTiles, readCodes } from './pictures.ts';
import { aggregateTexts, countRegions } from './regions.ts';
import { boundedParam, type Operator } from './settings.ts';
import { classifyByRegex, fillPrompt, fillPromptFromApp, nameLanguage } from './texts.ts';
import { thresholdConcepts, thresholdRegions } from './thresholds.ts';
import { trackers } from './tracking.ts';

/** The operators this server computes, by model type. */
export const operators: Readonly<Record<string, Operator>> = {
  ...trackers,
  'concept-threshold': thresholdConcepts,
  'region-threshold': thresholdRegions,
  'concept-synonym-mapper': mapSynonyms,
  'object-counter': countRegions,
  'text-aggregation-operator': aggregateTexts,
  'regex-based-classifier': classifyByRegex,
  'language-id-operator': nameLanguage,
  'image-crop': cropRegions,
  'image-tiler': cutIntoTiles,
  'barcode-operator': readCodes,
  prompter: fillPrompt,
  'rag-prompter': fillPromptFromApp,
  'random-sample': ({ data, settings }) =>
    boundedParam(settings, 'keep_fraction', 0.5, [0, 1]) > Math.random() ? data : create(DataSchema),
  // Writing happens where a workflow runs as the base workflow of an app; predictions only pass the data on.
  'annotation-writer': ({ data }) => data,
};
