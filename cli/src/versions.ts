import { setTimeout as sleep } from 'node:timers/promises';
import { type Api, type Json, openApi } from './api.ts';
import { type Call, type Command, textOption } from './command.ts';
import { findConnection } from './connection.ts';
import { CliFault, exitCode, usageFault } from './faults.ts';
import type { Output } from './output.ts';
import { placeOf } from './transfers.ts';

interface Named {
  readonly dataset: string;
  readonly version: string;
}

/** `street@v2`. */
function named(word: string | undefined, what: string): Named {
  const at = word?.lastIndexOf('@') ?? -1;
  if (!word || at <= 0 || at === word.length - 1)
    throw usageFault(`${what} is DATASET@VERSION, such as street@v2${word ? `; got '${word}'` : ''}.`);
  return { dataset: word.slice(0, at), version: word.slice(at + 1) };
}

/** `@v1` means the dataset named beside it. */
const namedBeside = (word: string | undefined, other: Named, what: string): Named =>
  word?.startsWith('@') && word.length > 1
    ? { dataset: other.dataset, version: word.slice(1) }
    : named(word, what);

const datasetPath = (ext: string, dataset: string) => `${ext}/datasets/${encodeURIComponent(dataset)}`;
const versionPath = (ext: string, { dataset, version }: Named) =>
  `${datasetPath(ext, dataset)}/versions/${encodeURIComponent(version)}`;

/** All pages of a list of an extension route. */
async function all(api: Api, path: string, name: string): Promise<Json[]> {
  const found: Json[] = [];
  for (let after = ''; ; ) {
    const page = await api.json('GET', `${path}${path.includes('?') ? '&' : '?'}per_page=500${after}`);
    found.push(...page[name]);
    if (page.next_after === undefined) return found;
    after = `&after=${encodeURIComponent(page.next_after)}`;
  }
}

const open = (call: Call): Api => openApi(findConnection(call));
const shownMax = 20;
const appOption = { app: { type: 'string' } } as const;
const appHelp = { app: 'id of the app (FOVEA_APP)' };

const more = (count: number): string[] =>
  count > shownMax ? [`  … and ${count - shownMax} more (all with --json)`] : [];

export const diffCommand: Command = {
  name: 'diff',
  usage: 'diff DATASET@FROM [DATASET]@TO --app APP',
  summary: 'what changed from one version of a dataset to another',
  options: appOption,
  help: appHelp,
  examples: ['fovea diff street@v1 @v2 --app traffic'],
  async run(call) {
    const from = named(call.words[0], 'The first word');
    const to = namedBeside(call.words[1], from, 'The second word');
    if (from.dataset !== to.dataset) throw usageFault('Both versions have to be of one dataset.');
    const api = open(call);
    const { ext } = await placeOf(call, api);
    const query = `?from=${encodeURIComponent(from.version)}`;
    const summary = await api.json('GET', `${versionPath(ext, to)}/diff${query}`);
    const inputs = await all(api, `${versionPath(ext, to)}/diff/inputs${query}`, 'inputs');
    const { status: _, ...shown } = summary;
    call.out.result({ ...shown, changes: inputs }, [
      `${from.dataset}: ${from.version} → ${to.version}`,
      ...summaryLines(shown),
      ...inputs.slice(0, shownMax).map(inputLine),
      ...more(inputs.length),
    ]);
    return undefined;
  },
};

const numbersOf = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ');

function summaryLines({ inputs, concepts }: Json): string[] {
  const changed = Object.entries(concepts as Readonly<Record<string, Readonly<Record<string, number>>>>);
  return [
    `  inputs  ${numbersOf(inputs)}`,
    ...changed.slice(0, shownMax).map(([id, counts]) => `  ${id}  ${numbersOf(counts)}`),
    ...more(changed.length),
  ];
}

const marks: Readonly<Record<string, string>> = { added: '+', removed: '-', changed: '~' };

function inputLine({ id, change, concepts_added, concepts_removed, medium_changed }: Json): string {
  const said = [
    ...(concepts_added ?? []).map((concept: string) => `+${concept}`),
    ...(concepts_removed ?? []).map((concept: string) => `-${concept}`),
    ...(medium_changed ? ['other bytes'] : []),
  ];
  return `  ${marks[change] ?? change} ${id}${said.length > 0 ? ` (${said.join(', ')})` : ''}`;
}

/** @throws CliFault when it ends without success */
async function worked(api: Api, path: string, id: string, out: Output): Promise<Json> {
  for (let pause = 50; ; pause = Math.min(1_000, pause * 1.5)) {
    const { work } = await api.json('GET', `${path}/works/${encodeURIComponent(id)}`);
    const { code, description, details } = work.status;
    if (code === 64002) return work;
    if (code !== 64000 && code !== 64001)
      throw new CliFault(details || description || `It ended with status ${code}.`);
    out.progress(`${work.kind} ${work.progress.done} of ${work.progress.total} …`);
    await sleep(pause);
  }
}

export const restoreCommand: Command = {
  name: 'restore',
  usage: 'restore DATASET@VERSION --app APP [--inputs-only]',
  summary: 'make a dataset what it was in a version; what it is now is kept as a version first',
  options: { ...appOption, 'inputs-only': { type: 'boolean' } },
  help: { ...appHelp, 'inputs-only': 'which inputs belong to it, and not what is said of them' },
  examples: ['fovea restore street@v1 --app traffic'],
  async run(call) {
    const wanted = named(call.words[0], 'What to restore');
    const api = open(call);
    const { ext } = await placeOf(call, api);
    const begun = await api.json('POST', `${versionPath(ext, wanted)}/restore`, {
      labels: call.options['inputs-only'] !== true,
    });
    const done = await worked(api, datasetPath(ext, wanted.dataset), begun.work.id, call.out);
    call.out.result(done, [
      `${wanted.dataset} is what it was in ${wanted.version}; what it was before is version ${done.kept_version_id}.`,
    ]);
    return undefined;
  },
};

export const leaksCommand: Command = {
  name: 'leaks',
  usage: 'leaks DATASET@VERSION --app APP [--against DATASET@VERSION] [--score-min 0..1]',
  summary: 'pictures that lie in two splits of a version, or in two versions, alike or nearly',
  options: { ...appOption, against: { type: 'string' }, 'score-min': { type: 'string' } },
  help: {
    ...appHelp,
    against: 'another version to compare with, instead of the splits of this one with each other',
    'score-min': 'how much alike counts, 0 (the same bytes only) to 1; 0.98 by default',
  },
  examples: ['fovea leaks street@v2 --app traffic', 'fovea leaks train@v1 --against test@v1 --app traffic'],
  async run(call) {
    const wanted = named(call.words[0], 'What to look through');
    const other = textOption(call, 'against');
    const against = other === undefined ? undefined : namedBeside(other, wanted, '--against');
    const score = textOption(call, 'score-min');
    if (score !== undefined && !(Number(score) >= 0 && Number(score) <= 1))
      throw usageFault(`--score-min is a number from 0 to 1; got '${score}'.`);
    const api = open(call);
    const { ext } = await placeOf(call, api);
    const begun = await api.json('POST', `${versionPath(ext, wanted)}/leaks`, {
      ...(against ? { against: { dataset_id: against.dataset, version_id: against.version } } : {}),
      ...(score === undefined ? {} : { score_min: Number(score) }),
    });
    const path = datasetPath(ext, wanted.dataset);
    const done = await worked(api, path, begun.work.id, call.out);
    const leaks = await all(api, `${path}/works/${encodeURIComponent(begun.work.id)}/leaks`, 'leaks');
    const where = ({ id, split }: Json) => `${id}${split ? ` (${split})` : ''}`;
    call.out.result({ ...done, leaks }, [
      leaks.length === 0 ? 'No leaks.' : `${leaks.length} pairs:`,
      ...leaks.slice(0, shownMax).map((leak) => `  ${leak.kind} ${where(leak.input)} ~ ${where(leak.other)}`),
      ...more(leaks.length),
    ]);
    // So that a script stops before it trains on what it is judged by.
    return leaks.length > 0 ? exitCode.partly : undefined;
  },
};
