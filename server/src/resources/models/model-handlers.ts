import { create } from '@bufbuild/protobuf';
import {
  type ListModelsRequest,
  type Model,
  ModelSchema,
  ModelVersionSchema,
  type RequestOf,
  type ServicePart,
} from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import { idTrouble, newId } from '#domain/ids.ts';
import { readPage } from '#domain/page.ts';
import { type Json, type JsonMap, type PatchAction, patched } from '#domain/patch.ts';
import type { Db } from '#store/sql.ts';
import { commonFault } from '../common/faults.ts';
import { readVisibility, showVisibility } from '../common/translate.ts';
import { typeIdsWith } from './catalogue/index.ts';
import { settleConcepts } from './concept-names.ts';
import type { ModelDeps } from './deps.ts';
import { modelFault } from './faults.ts';
import { readModelAndVersion, readModelRow } from './find.ts';
import { type ModelRow, madeStatus, type VersionRow } from './model.ts';
import { jsonOf, messageOf, patchedMessage, rawItem, readAction, sentJson } from './patch-json.ts';
import {
  deleteModelRows,
  insertModel,
  lockModel,
  type ModelFilter,
  type ModelScope,
  type ModelSort,
  pageOfModels,
  renameModel,
  touchModel,
  updateModel,
} from './store.ts';
import {
  bodyOfModel,
  bodyOfVersion,
  filedUnder,
  logOption,
  packModel,
  packVersion,
  readModel,
  readVersion,
  showModel,
  wordsOfModel,
} from './translate.ts';
import { findVersion, insertVersion } from './version-store.ts';

type Rpc =
  | 'postModels'
  | 'getModel'
  | 'listModels'
  | 'patchModels'
  | 'patchModelIds'
  | 'patchModelToolkits'
  | 'patchModelUseCases'
  | 'patchModelLanguages'
  | 'patchModelCheckConsents'
  | 'deleteModel'
  | 'deleteModels'
  | 'postModelsSearches'
  | 'listModelInputs'
  | 'listModelReferences';

export function modelHandlers(deps: ModelDeps): ServicePart<Call, Rpc> {
  const { db } = deps;
  return {
    /** Makes models, all or none, each with a first version. The reply has room for one model: the first. */
    async postModels(req, call) {
      const wanted = req.models.length > 0 ? req.models : req.model ? [req.model] : [];
      if (wanted.length === 0) throw modelFault.invalid('models is empty; send at least one model.');
      const made = await db.transaction(async (tx) => {
        const all = [];
        for (const model of wanted) all.push(await makeModel(tx, call, model));
        return all;
      });
      const [first] = made as [(typeof made)[number]];
      return { model: showModel(first.model, first.version, logOption(deps, call.app, true)) };
    },

    async getModel(req, call) {
      const { model, version } = await readModelAndVersion(db, call.app, req.modelId, req.versionId);
      const concepts = req.additionalFields.some((name) => name === 'all' || name === 'outputs');
      return {
        model: showModel(model, version, { concepts, ...logOption(deps, call.app, call.app.isMember) }),
      };
    },

    async listModels(req, call) {
      const found = await pageOfModels(db, scopeOf(req, call), readFilter(req), readSort(req), readPage(req));
      const isOwn = ({ userId }: ModelRow) => call.appIfNamed?.isMember ?? userId === call.caller.userId;
      return {
        models: found.map(({ model, version }) =>
          showModel(model, version, logOption(deps, call.user, isOwn(model))),
        ),
      };
    },

    async postModelsSearches(req, call) {
      const query = req.modelQuery;
      const found = await pageOfModels(
        db,
        call.appIfNamed ? { app: call.appIfNamed } : { user: call.user, everyones: true },
        { typeId: query?.modelTypeId ?? '', namePattern: query?.name ?? '' },
        { by: 'created_at', ascending: false },
        readPage(req.pagination),
      );
      return { models: found.map(({ model, version }) => showModel(model, version)) };
    },

    /**
     * Changes models. What describes a model changes in place; what decides how it predicts (output_info,
     * input_info, train_info) makes a new version (SEMANTICS 4.4).
     */
    async patchModels(req, call) {
      const action = readAction(req.action);
      const after = await db.transaction(async (tx) => {
        const all = [];
        for (const [index, model] of req.models.entries()) {
          all.push(await patchModel(tx, call, action, model, rawItem(call.sent, 'models', index)));
        }
        return all;
      });
      return { models: after.map(({ model, version }) => showModel(model, version)) };
    },

    async patchModelIds(req, call) {
      readAction(req.action, ['overwrite']);
      const [change] = req.ids;
      if (req.ids.length !== 1 || !change) throw modelFault.invalid('ids holds exactly one {id, new_id}.');
      const trouble = change.newId === '' ? 'new_id is empty.' : idTrouble(change.newId, 'model');
      if (trouble) throw modelFault.invalid(trouble);
      await db.transaction(async (tx) => {
        const model = await lockModel(tx, call.app, change.id);
        if (!model) throw modelFault.missing(change.id);
        if (!(await renameModel(tx, call.app, model.key, change.id, change.newId))) {
          throw commonFault.duplicateId('model', change.newId);
        }
      });
      const { model, version } = await readModelAndVersion(db, call.app, change.newId, '');
      return { models: [showModel(model, version)] };
    },

    async patchModelToolkits(req, call) {
      const model = await retag(call, req, { toolkits: req.toolkits });
      return { toolkits: model.toolkits };
    },
    async patchModelUseCases(req, call) {
      const model = await retag(call, req, { useCases: req.usecases });
      return { usecases: model.useCases };
    },
    async patchModelLanguages(req, call) {
      const model = await retag(call, req, { languages: req.languages });
      return { languages: model.languages };
    },
    async patchModelCheckConsents(req, call) {
      const model = await retag(call, req, { checkConsents: req.checkConsents });
      return { checkConsents: model.checkConsents };
    },

    async deleteModel(req, call) {
      const gone = await deleteModelRows(db, call.app, [req.modelId]);
      if (gone.length === 0) throw modelFault.gone(req.modelId);
      return {};
    },

    /** Without ids and without delete_all nothing happens: official clients send empty lists. */
    async deleteModels(req, call) {
      if (req.deleteAll) {
        await deleteModelRows(db, call.app, undefined);
        return {};
      }
      await db.transaction(async (tx) => {
        const gone = new Set(await deleteModelRows(tx, call.app, req.ids));
        const missing = req.ids.find((id) => !gone.has(id));
        if (missing !== undefined) throw modelFault.gone(missing);
      });
      return {};
    },

    /** Deprecated in the contract; inputs are listed by ListInputs and by searches. */
    async listModelInputs(req, call) {
      await readModelRow(db, call.app, req.modelId);
      return { inputs: [] };
    },

    /** References are written by the operator of a server, and none are kept yet. */
    async listModelReferences(req, call) {
      await readModelRow(db, call.app, req.modelId);
      return { modelReferences: [] };
    },
  };

  async function makeModel(tx: Db, call: Call, wire: Model) {
    const wanted = readModel(wire, call.app);
    await checkVisibility(call, wanted.visibility);
    const row = await insertModel(
      tx,
      call.app,
      wanted,
      wordsOfModel({ ...wire, id: wanted.id, name: wanted.name }, call.app.userId),
    );
    if (!row) throw commonFault.duplicateId('model', wanted.id);
    const settings = readVersion(wire.modelVersion, wire);
    return { model: row, version: await addVersion(tx, call, row, settings, wire.modelVersion?.id) };
  }

  /** A version that is made, not trained. */
  async function addVersion(
    tx: Db,
    call: Call,
    row: ModelRow,
    settings: ReturnType<typeof readVersion>,
    id?: string,
  ): Promise<VersionRow> {
    const trouble = id ? idTrouble(id, 'model version') : undefined;
    if (trouble) throw modelFault.invalid(trouble);
    const concepts = settings.outputInfo?.data?.concepts ?? [];
    await settleConcepts(tx, call.app, concepts);
    const version = await insertVersion(tx, call.app, row.key, {
      id: id || newId(),
      statusCode: madeStatus(row.typeId, settings.pretrainedModelConfig !== undefined),
      statusDetails: '',
      visibility: settings.visibility ? readVisibility(settings.visibility) : row.visibility,
      conceptIds: concepts.map((concept) => concept.id),
      license: settings.license,
      description: settings.description,
      body: packVersion(settings),
    });
    if (!version) throw commonFault.duplicateId('model version', id ?? '');
    return version;
  }

  async function patchModel(tx: Db, call: Call, action: PatchAction, wire: Model, raw: unknown) {
    const before = await lockModel(tx, call.app, wire.id);
    if (!before) throw modelFault.missing(wire.id);
    const sent = sentJson(ModelSchema, wire, raw);
    // gRPC cannot tell "not sent" from "sent empty" (SEMANTICS 4.2); clients send back what they were shown.
    const config = raw === undefined ? withoutEmpties(configOf(sent)) : configOf(sent);
    for (const key of [
      'id',
      'user_id',
      'app_id',
      'created_at',
      'modified_at',
      'model_version',
      'output_info',
      'model_type_id',
    ]) {
      delete sent[key];
    }
    const model = Object.keys(sent).length > 0 ? await patchFields(tx, call, action, before, sent) : before;
    const latest = await findVersion(tx, call.app, before.key);
    if (Object.keys(config).length === 0) return { model, version: latest };
    const old = latest ? bodyOfVersion(latest) : create(ModelVersionSchema);
    const oldConfig = configOf({ model_version: jsonOf(ModelVersionSchema, old) });
    const newConfig = patchedConfig(action, oldConfig, config);
    if (isSameConfig(newConfig, oldConfig)) return { model, version: latest };
    const settings = messageOf(ModelVersionSchema, { ...jsonOf(ModelVersionSchema, old), ...newConfig });
    const version = await addVersion(tx, call, before, readVersion(settings, undefined));
    await touchModel(tx, call.app, before.key);
    return { model: (await lockModel(tx, call.app, before.id)) ?? model, version };
  }

  async function patchFields(
    tx: Db,
    call: Call,
    action: PatchAction,
    before: ModelRow,
    sent: JsonMap,
  ): Promise<ModelRow> {
    const shown = create(ModelSchema, {
      ...bodyOfModel(before),
      name: before.name,
      visibility: showVisibility(before.visibility),
      toolkits: [...before.toolkits],
      useCases: [...before.useCases],
      languages: [...before.languages],
    });
    const after = patchedMessage(ModelSchema, action, shown, sent);
    // Taking the URL away takes the picture away.
    if (after.image && !after.image.url && !after.image.hosted) after.image = undefined;
    const visibility = readVisibility(after.visibility);
    if (visibility !== before.visibility) await checkVisibility(call, visibility);
    const row = await updateModel(
      tx,
      call.app,
      before.key,
      {
        name: after.name || before.id,
        visibility,
        toolkits: after.toolkits,
        useCases: after.useCases,
        languages: after.languages,
        ...filedUnder(after),
        body: packModel(after),
      },
      wordsOfModel({ ...after, id: before.id }, call.app.userId),
    );
    if (!row) throw modelFault.missing(before.id);
    return row;
  }

  async function retag(
    call: Call,
    req: { modelId: string; action: string },
    tags: Partial<Pick<Model, 'toolkits' | 'useCases' | 'languages' | 'checkConsents'>>,
  ): Promise<Model> {
    readAction(req.action, ['overwrite']);
    const wire = create(ModelSchema, { id: req.modelId, ...tags });
    const emptied = Object.fromEntries(
      Object.entries(tags).map(([name, list]) => [snakeOf[name as keyof typeof snakeOf], list]),
    );
    const row = await db.transaction(
      async (tx) => (await patchModel(tx, call, 'overwrite', wire, emptied)).model,
    );
    return showModel(row, undefined);
  }

  /** @throws Fault with the words that clients look for: what is public needs a public owner (SEMANTICS 1.6) */
  async function checkVisibility(call: Call, visibility: number): Promise<void> {
    if (visibility >= 50 && !(await deps.isProfilePublic(call.app))) throw commonFault.profilePrivate();
  }
}

const snakeOf = {
  toolkits: 'toolkits',
  useCases: 'use_cases',
  languages: 'languages',
  checkConsents: 'check_consents',
} as const;

const configNames = [
  'output_info',
  'input_info',
  'train_info',
  'pretrained_model_config',
  'import_info',
] as const;

/** The part of a model that decides how it predicts; older clients put output_info on the model itself. */
function configOf(sent: JsonMap): JsonMap {
  const version = (sent.model_version ?? {}) as JsonMap;
  const config: JsonMap = {};
  for (const name of configNames) {
    const value = version[name] ?? (name === 'output_info' ? sent.output_info : undefined);
    if (value !== undefined) config[name] = withoutShown(value);
  }
  return config;
}

/** Clients send back what they were shown; the hint is no setting. */
function withoutShown(value: Json): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const { message: _hint, params_specs: _specs, ...rest } = value;
  return rest;
}

/** The same without objects that hold nothing. */
function withoutEmpties(map: JsonMap): JsonMap {
  const kept: JsonMap = {};
  for (const [name, value] of Object.entries(map)) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) kept[name] = value;
    else {
      const inner = withoutEmpties(value);
      if (Object.keys(inner).length > 0) kept[name] = inner;
    }
  }
  return kept;
}

const isSameConfig = (a: JsonMap, b: JsonMap): boolean =>
  JSON.stringify(withoutEmpties(a)) === JSON.stringify(withoutEmpties(b));

/** Overwriting replaces data, and keeps the settings of output_config that the patch does not name. */
function patchedConfig(action: PatchAction, before: JsonMap, sent: JsonMap): JsonMap {
  if (action !== 'overwrite') return patched(action, before, sent) as JsonMap;
  const after: JsonMap = { ...before, ...sent };
  const output = sent.output_info as JsonMap | undefined;
  const old = (before.output_info ?? {}) as JsonMap;
  if (output) {
    after.output_info = {
      ...old,
      ...output,
      ...(output.output_config || old.output_config
        ? {
            output_config: {
              ...((old.output_config ?? {}) as JsonMap),
              ...((output.output_config ?? {}) as JsonMap),
            },
          }
        : {}),
    };
  }
  return after;
}

/** Without an app the list is about a user; without a user it is about everything the caller may see. */
function scopeOf(req: RequestOf<'listModels'>, call: Call): ModelScope {
  if (call.appIfNamed) return { app: call.appIfNamed };
  return { user: call.user, everyones: !req.userAppId?.userId };
}

function readFilter(req: ListModelsRequest): ModelFilter {
  const byFields = req.inputFields.length > 0 || req.outputFields.length > 0;
  return {
    typeId: req.modelTypeId,
    typeIds: byFields ? typeIdsWith(req.inputFields, req.outputFields) : undefined,
    trainedOnly: req.trainedOnly,
    license: req.license,
    toolkits: req.toolkits,
    useCases: req.useCases,
    languages: req.languages,
    versionIds: req.modelVersionIds,
    visibility: req.visibility ? readVisibility(req.visibility) : undefined,
    creator: req.creator,
    licenseType: req.licenseType,
    source: req.source,
    featuredOnly: req.featuredOnly,
    nothing: req.starredOnly || req.bookmark || req.minReplicas > 0,
    search: req.search,
    query: req.query,
    namePattern: req.name,
  };
}

function readSort(req: ListModelsRequest): { by: ModelSort; ascending: boolean } {
  const ascending = req.sortAscending;
  switch (req.sortBy.case) {
    case 'sortByName':
      return { by: 'name', ascending };
    case 'sortByNumInputs':
      return { by: 'num_inputs', ascending };
    case 'sortByCreatedAt':
      return { by: 'created_at', ascending };
    case 'sortByStarCount':
      return { by: 'star_count', ascending };
    case 'sortByRelevance':
      if (!req.search) throw modelFault.invalid('sort_by_relevance needs a non-empty search.');
      return { by: 'relevance', ascending };
    default:
      return { by: 'modified_at', ascending };
  }
}
