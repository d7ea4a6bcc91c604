import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Api, type Json, openApi } from './api.ts';
import { type Call, type Command, textOption } from './command.ts';
import { findConnection } from './connection.ts';
import { CliFault, exitCode, usageFault } from './faults.ts';
import { catalogue, checksumNote } from './model-catalogue.ts';
import { guessType, type Source, sourceOf } from './model-sources.ts';
import { bytes, type Output } from './output.ts';
import { tarOfFiles } from './tar.ts';
import { appOf, download } from './transfers.ts';

const partBytes = 16 * 2 ** 20;

async function placeOf(call: Call, api: Api): Promise<string> {
  const user = textOption(call, 'user') ?? (await api.json('GET', '/v2/users/me')).user.id;
  return `/users/${encodeURIComponent(user)}/apps/${encodeURIComponent(appOf(call))}`;
}

const pullOptions = {
  app: { type: 'string' },
  id: { type: 'string' },
  type: { type: 'string' },
  mirror: { type: 'string' },
  revision: { type: 'string' },
  sha256: { type: 'string' },
  'accept-changes': { type: 'boolean' },
  yes: { type: 'boolean', short: 'y' },
} as const;

export const pullCommand: Command = {
  name: 'models pull',
  usage: 'models pull NAME|URL|hf:OWNER/REPO|FOLDER|ARCHIVE --app APP [--id ID] [--type TYPE]',
  summary: 'bring an ONNX model to the server: from the catalogue, the web, or this machine',
  options: pullOptions,
  help: {
    app: 'id of the app (FOVEA_APP)',
    id: 'id of the model; made from its name by default',
    type: 'model type, where the files do not tell (visual-classifier, visual-detector, visual-embedder …)',
    mirror: 'where repositories are fetched from, in place of the hub (FOVEA_HUB)',
    revision: 'commit or branch of a repository; main by default',
    sha256: 'checksum that a single file must have',
    'accept-changes': 'take files that differ from what was fetched from the same place before',
    yes: 'do not ask about the licence',
  },
  examples: [
    'fovea models pull clip --app photos',
    'fovea models pull hf:onnx-community/dfine-nano-coco-ONNX --app photos',
    'fovea models pull ./my-model --app photos --type visual-classifier',
  ],
  async run(call) {
    const [what] = call.words;
    if (!what) throw usageFault('models pull needs a NAME, URL, hf:OWNER/REPO, FOLDER or ARCHIVE.');
    const api = openApi(findConnection(call));
    const place = await placeOf(call, api);
    const source = await sourceOf(call, what);
    const id =
      textOption(call, 'id') ??
      source.name
        .replace(/[^\w-]+/g, '-')
        .replace(/^-+|-+$/g, '')
        .slice(0, 48);
    call.out.warn(`licence: ${source.licence || 'not stated; find out before you use it'}`);
    const typeId = textOption(call, 'type') ?? source.typeId ?? (await guessType(source));
    await ensureModel(api, place, id, typeId);
    const version = await sendModel(api, place, id, source, call.out);
    const done = await built(api, place, id, version, call.out);
    call.out.result(
      {
        model_id: id,
        model_version_id: version,
        model_type_id: typeId,
        from: source.from,
        licence: source.licence,
        status: done.status,
      },
      [
        `${id}: ready, a ${typeId} from ${source.from}`,
        `  version ${version}`,
        `  licence ${source.licence || 'not stated'}`,
      ],
    );
    return undefined;
  },
};

async function ensureModel(api: Api, place: string, id: string, typeId: string): Promise<void> {
  const base = `/v2${place}/models`;
  const found = await api.json('GET', `${base}/${encodeURIComponent(id)}`).catch((error: unknown) => {
    if (error instanceof CliFault && error.code === exitCode.missing) return undefined;
    throw error;
  });
  if (found) {
    if (found.model.model_type_id !== typeId)
      throw new CliFault(
        `The model '${id}' is of type ${found.model.model_type_id}; name another with --id.`,
      );
    return;
  }
  const isEmbedder = typeId === 'visual-embedder';
  await api.json('POST', base, {
    models: [
      {
        id,
        model_type_id: typeId,
        ...(isEmbedder ? { use_cases: ['image-embedding'] } : {}),
        toolkits: ['ONNX'],
      },
    ],
  });
}

/** Sends the archive part by part; a part that fails is sent again. @returns the version's id */
async function sendModel(api: Api, place: string, id: string, source: Source, out: Output): Promise<string> {
  const { size, chunks } = await archiveOf(source);
  const version = createHash('sha256')
    .update(`${id} ${Date.now()} ${process.pid}`)
    .digest('hex')
    .slice(0, 32);
  const path = `/v2/ext/fovea${place}/models/${encodeURIComponent(id)}/versions/${version}/content_parts`;
  let number = 0;
  let sent = 0;
  for await (const body of inParts(chunks(), partBytes)) {
    number += 1;
    const reply = await api.raw('PUT', `${path}/${number}?total_size=${size}`, { body });
    const text = await reply.text();
    if (!reply.ok)
      throw new CliFault(`The server did not take the model: ${detailsIn(text) || reply.status}`);
    sent += body.length;
    out.progress(`sending ${bytes(sent)} of ${bytes(size)}`);
  }
  return version;
}

async function archiveOf(source: Source) {
  if (source.archive !== undefined) {
    const path = source.archive;
    return {
      size: (await stat(path)).size,
      chunks: () => createReadStream(path) as AsyncIterable<Uint8Array>,
    };
  }
  return tarOfFiles(source.files);
}

async function* inParts(chunks: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Buffer> {
  let held: Uint8Array[] = [];
  let count = 0;
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      const taken = chunk.subarray(at, at + size - count);
      held.push(taken);
      count += taken.length;
      at += taken.length;
      if (count === size) {
        yield Buffer.concat(held);
        [held, count] = [[], 0];
      }
    }
  }
  if (count > 0) yield Buffer.concat(held);
}

const detailsIn = (text: string): string => {
  try {
    const { status } = JSON.parse(text);
    return status.details || status.description;
  } catch {
    return '';
  }
};

async function built(api: Api, place: string, id: string, version: string, out: Output): Promise<Json> {
  const path = `/v2${place}/models/${encodeURIComponent(id)}/versions/${version}`;
  for (let pause = 50; ; pause = Math.min(1_000, pause * 1.5)) {
    const { model_version: shown } = await api.json('GET', path);
    if (shown.status.code === 21100) return shown;
    if (shown.status.code !== 21107) throw new CliFault(shown.status.details || shown.status.description);
    out.progress('the server checks the model …');
    await sleep(pause);
  }
}

export const catalogueCommand: Command = {
  name: 'models catalogue',
  usage: 'models catalogue',
  summary: 'models that `models pull` knows by name, with their licences',
  async run({ out }) {
    out.result(catalogue, [
      ...catalogue.map(
        ({ name, licence, repo, about }) => `${name.padEnd(22)} ${licence.padEnd(14)} ${about} (${repo})`,
      ),
      '',
      checksumNote,
    ]);
    return undefined;
  },
};

export const showModelCommand: Command = {
  name: 'models show',
  usage: 'models show MODEL --app APP',
  summary: 'what a model is: type, versions, labels, networks, licence',
  options: { app: { type: 'string' } },
  help: { app: 'id of the app (FOVEA_APP)' },
  async run(call) {
    const [id] = call.words;
    if (!id) throw usageFault('Which MODEL?');
    const api = openApi(findConnection(call));
    const path = `/v2${await placeOf(call, api)}/models/${encodeURIComponent(id)}`;
    const { model } = await api.json('GET', path);
    const version = model.model_version ?? {};
    const facts = version.metadata?.package ?? {};
    call.out.result(model, [
      `${model.id}: ${model.model_type_id}`,
      `  version  ${version.id ?? 'none'} (${version.status?.code ?? '-'} ${version.status?.description ?? ''})`,
      `  licence  ${version.license || facts.licence || 'not stated'}`,
      ...(facts.networks ?? []).map(
        (one: Json) =>
          `  network  ${one.file}: opset ${one.opset}, ${one.operators} operators, ${bytes(one.weightBytes)}`,
      ),
    ]);
    return undefined;
  },
};

export const removeModelCommand: Command = {
  name: 'models remove',
  usage: 'models remove MODEL --app APP',
  summary: 'delete a model with all its versions',
  options: { app: { type: 'string' } },
  help: { app: 'id of the app (FOVEA_APP)' },
  async run(call) {
    const [id] = call.words;
    if (!id) throw usageFault('Which MODEL?');
    const api = openApi(findConnection(call));
    await api.json('DELETE', `/v2${await placeOf(call, api)}/models/${encodeURIComponent(id)}`);
    call.out.result({ removed: id }, [`${id} is gone`]);
    return undefined;
  },
};

export const exportModelCommand: Command = {
  name: 'models export',
  usage: 'models export MODEL --app APP [--version VERSION] [--out FILE.tar]',
  summary: 'take a model away as a file that any Fovea takes with `models pull FILE --type TYPE`',
  options: { app: { type: 'string' }, version: { type: 'string' }, out: { type: 'string', short: 'o' } },
  help: { app: 'id of the app (FOVEA_APP)', version: 'the newest by default', out: 'MODEL.tar by default' },
  async run(call) {
    const [id] = call.words;
    if (!id) throw usageFault('Which MODEL?');
    const to = textOption(call, 'out') ?? `${id}.tar`;
    if (await stat(to).catch(() => undefined))
      throw usageFault(`${to} exists already; name another with --out.`);
    const api = openApi(findConnection(call));
    const path = `/v2${await placeOf(call, api)}/models/${encodeURIComponent(id)}`;
    const version = textOption(call, 'version') ?? (await api.json('GET', path)).model.model_version?.id;
    const one = `${path}/versions/${encodeURIComponent(version)}/exports`;
    await api.json('PUT', one, {});
    for (let pause = 50; ; pause = Math.min(1_000, pause * 1.5)) {
      const { export: made } = await api.json('GET', one);
      if (made.status.code === 21500) {
        const { pathname } = new URL(made.url);
        await download(api, pathname, Number(made.size), to, call.out);
        call.out.result({ ...made, out: to }, [`${to}: ${bytes(Number(made.size))}`]);
        return undefined;
      }
      if (made.status.code === 21502) throw new CliFault(made.status.details || 'The export failed.');
      call.out.progress('the server packs the model …');
      await sleep(pause);
    }
  },
};

export const modelCommands: readonly Command[] = [
  pullCommand,
  catalogueCommand,
  showModelCommand,
  removeModelCommand,
  exportModelCommand,
];
