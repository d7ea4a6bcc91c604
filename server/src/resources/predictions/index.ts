export type { FoundText, PredictDeps, RunDeps, StoredInput } from './deps.ts';
export { eachOf } from './each-of.ts';
export { eachFrame, showFrame } from './frames.ts';
export { itemFault, predictionHandlers } from './handlers.ts';
export { type Heads, openHeads } from './heads.ts';
export { echoOf, type Media, mediaOf, openMedia } from './media.ts';
export { type OutputSettings, overridesOf, readSettings } from './output-config.ts';
export { predictWith, type RunModelOptions, type Runnable } from './run-model.ts';
export { checkSelector } from './selector.ts';
