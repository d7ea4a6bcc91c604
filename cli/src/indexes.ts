import { setTimeout as sleep } from 'node:timers/promises';
import { type Api, type Json, openApi } from './api.ts';
import { type Command, textOption } from './command.ts';
import { findConnection } from './connection.ts';
import { CliFault, exitCode, usageFault } from './faults.ts';
import { type Output, table } from './output.ts';
import { placeOf } from './transfers.ts';

const options = { app: { type: 'string' } } as const;
const help = { app: 'id of the app (FOVEA_APP)' };

export const indexListCommand: Command = {
  name: 'index list',
  usage: 'index list --app APP',
  summary: 'what the searches of an app look into, and where it is kept',
  options,
  help,
  async run(call) {
    const api = openApi(findConnection(call));
    const { ext } = await placeOf(call, api);
    const { indexes } = await api.json('GET', `${ext}/indexes`);
    const rows = indexes.map((one: Json) => [
      one.model_id,
      String(one.vectors),
      one.store,
      one.progress ? `${one.role} ${one.progress.done}/${one.progress.total}` : one.role,
      one.why ?? '',
    ]);
    call.out.result(
      { indexes },
      indexes.length === 0 ? ['no indexes'] : table(['MODEL', 'VECTORS', 'STORE', 'ROLE', ''], rows),
    );
    return undefined;
  },
};

export const indexVerifyCommand: Command = {
  name: 'index verify',
  usage: 'index verify --app APP [--repair]',
  summary: 'compare the indexes of an app with its vectors',
  options: { ...options, repair: { type: 'boolean' } },
  help: { ...help, repair: 'put right what is wrong' },
  examples: ['fovea index verify --app traffic --repair'],
  async run(call) {
    const api = openApi(findConnection(call));
    const { ext } = await placeOf(call, api);
    const repair = call.options.repair === true;
    const { check } = await api.json('POST', `${ext}/indexes/checks`, { repair });
    const done = await ended(api, `${ext}/indexes/checks/${check.id}`, 'check', 'compared', call.out);
    const rows = done.indexes.map((one: Json) =>
      [one.model_id, one.store, one.total, one.missing, one.extra, one.differing, one.repaired].map(String),
    );
    call.out.result(
      done,
      done.indexes.length === 0
        ? ['no indexes']
        : table(['MODEL', 'STORE', 'VECTORS', 'MISSING', 'EXTRA', 'DIFFERING', 'REPAIRED'], rows),
    );
    // What is extra was deleted and is never returned: no reason to worry anybody.
    const isWrong = done.indexes.some((one: Json) => one.missing + one.differing > 0);
    return isWrong && !repair ? exitCode.partly : undefined;
  },
};

export const duplicatesCommand: Command = {
  name: 'duplicates',
  usage: 'duplicates --app APP [--dataset DATASET] [--similar] [--score-min 0.95]',
  summary: 'groups of the same picture, or of similar ones',
  options: {
    ...options,
    dataset: { type: 'string' },
    similar: { type: 'boolean' },
    'score-min': { type: 'string' },
  },
  help: {
    ...help,
    dataset: 'id of a dataset; all of the app by default',
    similar: 'pictures that look alike, beside copies',
    'score-min': 'how alike, as searches score it; 0.95 by default',
  },
  examples: [
    'fovea duplicates --app traffic --dataset street',
    'fovea duplicates --app traffic --similar --json',
  ],
  async run(call) {
    const api = openApi(findConnection(call));
    const { ext } = await placeOf(call, api);
    const [dataset, score] = [textOption(call, 'dataset'), textOption(call, 'score-min')];
    if (score !== undefined && !(Number(score) >= 0.5 && Number(score) <= 1))
      throw usageFault('--score-min is a number from 0.5 to 1.');
    const { search } = await api.json('POST', `${ext}/duplicates`, {
      ...(dataset === undefined ? {} : { dataset_id: dataset }),
      ...(score === undefined ? {} : { score_min: Number(score) }),
    });
    const path = `${ext}/duplicates/${search.id}`;
    const done = await ended(api, path, 'search', 'compared', call.out);
    const groups: string[][] = [];
    const tier = call.options.similar === true ? 'similar' : 'same';
    for (let after = ''; ; ) {
      const page = await api.json('GET', `${path}/groups?tier=${tier}&per_page=1000&after=${after}`);
      groups.push(...page.groups.map((group: Json) => group.input_ids));
      if (page.next_after === undefined) break;
      after = String(page.next_after);
    }
    call.out.result(
      { ...done, tier, groups },
      groups.length === 0 ? ['no duplicates'] : groups.map((ids) => ids.join('  ')),
    );
    return undefined;
  },
};

/** Waits for long work to end. @throws CliFault when it ends without success */
export async function ended(api: Api, path: string, field: string, verb: string, out: Output): Promise<Json> {
  for (let pause = 50; ; pause = Math.min(1_000, pause * 1.5)) {
    const { [field]: work } = await api.json('GET', path);
    if (work.status.code === 64002) return work;
    if (work.status.code === 64003) throw new CliFault(work.status.details || 'It failed.');
    out.progress(`${verb} ${work.progress.done} of ${work.progress.total} …`);
    await sleep(pause);
  }
}
