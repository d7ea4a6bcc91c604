import { createContext, Script } from 'node:vm';
import { create } from '@bufbuild/protobuf';
import { DataSchema } from '@fovea/contract';
import { identifyLanguages } from '#engine/languages/index.ts';
import { predictionFault } from '../faults.ts';
import { boundedParam, flagParam, type Operator, textParam } from './settings.ts';

const textLengthMax = 100_000;
const regexTimeMs = 100;
/** Patterns that once took too long, and until when they are refused without trying: one caller must not stall the others again and again. */
const slowPatterns = new Map<string, number>();
const slowForMs = 10 * 60_000;
const slowPatternsMax = 1_000;
const searchRoom = createContext({ pattern: '', flags: '', text: '' });
const search = new Script('new RegExp(pattern, flags).test(text)');

/** Patterns were written for Python: its flags in front and its named groups are turned into this language's. */
function translated(pattern: string): { pattern: string; flags: string } {
  const [front = '', letters = ''] = /^\(\?([aimsux]+)\)/.exec(pattern) ?? [];
  const flags = [...new Set(letters)].filter((letter) => 'ims'.includes(letter)).join('');
  const rest = pattern
    .slice(front.length)
    .replaceAll('(?P<', '(?<')
    .replace(/\(\?P=(\w+)\)/g, '\\k<$1>');
  return { pattern: rest, flags: `u${flags}` };
}

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
    Object.assign(searchRoom, translated(pattern));
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

/** Says the model's concepts of texts that match, and nothing of others. */
export const classifyByRegex: Operator = ({ data, settings }) => {
  const matches = matchesPattern(textParam(settings, 'regex'), data.text?.raw ?? '');
  const concepts = matches
    ? (settings?.data?.concepts ?? []).map((concept) => ({ ...concept, value: 1 }))
    : [];
  return create(DataSchema, { concepts });
};

const languagesMax = 100;

/** Both libraries that the contract names are answered by the one that is built in; see the README. */
export const nameLanguage: Operator = async ({ data, settings, signal }) => {
  const raw = data.text?.raw ?? '';
  const text = flagParam(settings, 'lowercase', true) ? raw.toLowerCase() : raw;
  const valueMin = boundedParam(settings, 'threshold', 0, [0, 1]);
  const most = boundedParam(settings, 'topk', 1, [1, languagesMax]);
  const found = await identifyLanguages(text, signal);
  const likely = found.filter(({ value }) => value >= valueMin);
  return create(DataSchema, {
    concepts: likely.slice(0, most).map(({ code, name, value }) => ({ id: code, name, value })),
  });
};

const textPlace = '{data.text.raw}';
const hitsPlace = '{data.hits}';

export const fillPrompt: Operator = ({ data, settings }) => {
  const template = textParam(settings, 'prompt_template') || textPlace;
  if (!template.includes(textPlace)) throw predictionFault.badTemplate([textPlace]);
  return create(DataSchema, { text: { raw: template.replaceAll(textPlace, () => data.text?.raw ?? '') } });
};

/** What a search of the app finds for the text stands in the prompt, a line for each hit, the best first. */
export const fillPromptFromApp: Operator = async ({ data, settings, deps, grant, signal }) => {
  const template = textParam(settings, 'prompt_template') || `${hitsPlace}\n${textPlace}`;
  const missing = [textPlace, hitsPlace].filter((place) => !template.includes(place));
  if (missing.length > 0) throw predictionFault.badTemplate(missing);
  if (!grant || !deps.findTexts) throw predictionFault.needsApp('rag-prompter');
  const text = data.text?.raw ?? '';
  const hits = await deps.findTexts(grant, text, {
    scoreMin: boundedParam(settings, 'min_score', 0.95, [0, 1]),
    hitsMax: boundedParam(settings, 'max_results', 5, [1, 100]),
    signal,
  });
  const filled = template
    .split(textPlace)
    .map((part) => part.replaceAll(hitsPlace, () => hits.map((hit) => hit.text).join('\n')))
    .join(text);
  return create(DataSchema, { text: { raw: filled } });
};
