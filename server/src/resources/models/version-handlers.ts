import { randomBytes } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { DurationSchema } from '@bufbuild/protobuf/wkt';
import {
  type Data,
  DataSchema,
  DatasetSchema,
  type ListModelVersionsRequest,
  type ModelVersion,
  type ModelVersionInputExample,
  ModelVersionInputExampleSchema,
  ModelVersionSchema,
  type ServicePart,
  StatusCode,
  TrainInfoSchema,
} from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import { visibility } from '#domain/grant.ts';
import { idTrouble, newId } from '#domain/ids.ts';
import { firstPosition, readPage } from '#domain/page.ts';
import type { Tx } from '#store/postgres/index.ts';
import { commonFault } from '../common/faults.ts';
import { readVisibility, showVisibility } from '../common/translate.ts';
import { conceptsById } from '../concepts/index.ts';
import { conceptNamesIn, settleConcepts } from './concept-names.ts';
import type { ModelDeps } from './deps.ts';
import { modelFault } from './faults.ts';
import { readModelAndVersion, readModelRow } from './find.ts';
import { canTrain, isTrainable, type ModelRow, type VersionRow } from './model.ts';
import { patchedMessage, rawItem, readAction, sentJson } from './patch-json.ts';
import { lockModel, touchModel } from './store.ts';
import { countToTrainOn, estimateTraining } from './training/estimate.ts';
import { trainingNote } from './training/note.ts';
import { checkTrainingParams } from './training/params.ts';
import { datasetOf } from './training/settings.ts';
import { bodyOfVersion, logOption, packVersion, readVersion, showModel, showVersion } from './translate.ts';
import {
  deleteVersion,
  findVersion,
  insertVersion,
  pageOfVersions,
  showVersions,
  updateVersion,
  type VersionSort,
} from './version-store.ts';

type Rpc =
  | 'postModelVersions'
  | 'postModelVersionsTrainingTimeEstimate'
  | 'getModelVersion'
  | 'listModelVersions'
  | 'patchModelVersions'
  | 'deleteModelVersion'
  | 'getModelOutputInfo'
  | 'postModelVersionsPublish'
  | 'postModelVersionsUnPublish'
  | 'postModelMigration'
  | 'deleteModelMigration'
  | 'listModelVersionInputExamples'
  | 'getModelVersionInputExample';

export function modelVersionHandlers(deps: ModelDeps): ServicePart<Call, Rpc> {
  const { db } = deps;
  const options = ({ app }: Call) => logOption(deps, app, app.isMember);
  return {
    /**
     * Trains a model, or configures one that needs no training. The reply shows the new version: queued for
     * training, or ready (SEMANTICS 5.9). Nothing is ever retrained in place.
     */
    async postModelVersions(req, call) {
      const [sent, ...others] = req.modelVersions;
      if (others.length > 0)
        throw modelFault.invalid('model_versions holds more than one version; post them one by one.');
      const made = await db.transaction(async (tx) => {
        const model = await lockModel(tx, call.app, req.modelId);
        if (!model) throw modelFault.missing(req.modelId);
        const version = await newVersion(tx, call, model, sent, req.description);
        if (req.evalInfo && version.statusCode === StatusCode.MODEL_QUEUED_FOR_TRAINING)
          await deps.evaluateAfterTraining(tx, call.app, version.key, req.evalInfo);
        await touchModel(tx, call.app, model.key);
        return { model, version };
      });
      return { model: showModel(made.model, made.version, { ...options(call), concepts: true }) };
    },

    /** How long each training would take, by what trainings of its type took here. */
    async postModelVersionsTrainingTimeEstimate(req, call) {
      const model = await readModelRow(db, call.app, req.modelId);
      if (!canTrain(model.typeId)) throw modelFault.untrainable(model.typeId);
      const asked = req.modelVersions.length > 0 ? req.modelVersions : [create(ModelVersionSchema)];
      const estimates = [];
      for (const version of asked) {
        const inputs = Number(req.estimatedInputCount) || (await countToTrainOn(db, call.app, version));
        estimates.push(await estimateTraining(db, model.typeId, inputs));
      }
      return {
        trainingTimeEstimates: estimates.map((ms) =>
          create(DurationSchema, { seconds: BigInt(Math.floor(ms / 1000)), nanos: (ms % 1000) * 1_000_000 }),
        ),
      };
    },

    async getModelVersion(req, call) {
      const { model, version } = await readModelAndVersion(db, call.app, req.modelId, req.versionId);
      if (!version) throw modelFault.missingVersion(req.modelId, req.versionId);
      return { modelVersion: showVersion(version, model, { ...options(call), concepts: true }) };
    },

    async listModelVersions(req, call) {
      const model = await readModelRow(db, call.app, req.modelId);
      const filter = { conceptIds: req.conceptIds, trainedOnly: req.trainedOnly };
      // Nothing here runs as replicas of a deployment.
      if (req.minReplicas > 0) return { modelVersions: [] };
      const found = await pageOfVersions(db, call.app, model.key, filter, readSort(req), readPage(req));
      return { modelVersions: found.map((row) => showVersion(row, model, options(call))) };
    },

    async patchModelVersions(req, call) {
      const action = readAction(req.action);
      const model = await readModelRow(db, call.app, req.modelId);
      const after = await db.transaction(async (tx) => {
        const all = [];
        for (const [index, sent] of req.modelVersions.entries()) {
          const before = await findVersion(tx, call.app, model.key, { id: sent.id, lock: true });
          if (sent.id === '' || !before) throw modelFault.missingVersion(req.modelId, sent.id);
          const json = sentJson(ModelVersionSchema, sent, rawItem(call.sent, 'model_versions', index));
          for (const key of ['id', 'status', 'created_at', 'modified_at', 'app_id', 'user_id'])
            delete json[key];
          const patched = patchedMessage(ModelVersionSchema, action, editable(before), json);
          all.push(await keep(tx, call, before, patched));
        }
        return all;
      });
      return {
        modelVersions: after.map((row) => showVersion(row, model, { ...options(call), concepts: true })),
      };
    },

    async deleteModelVersion(req, call) {
      const model = await readModelRow(db, call.app, req.modelId);
      if (!(await deleteVersion(db, call.app, model.key, req.versionId))) {
        throw commonFault.missing('model version', req.versionId);
      }
      return {};
    },

    /** The concepts stand in both places where clients of different ages look (SEMANTICS trap 39). */
    async getModelOutputInfo(req, call) {
      const { model, version } = await readModelAndVersion(db, call.app, req.modelId, req.versionId);
      const names = await conceptNamesIn(db, call.app, req.language, version?.conceptIds ?? []);
      const shown = showModel(model, version, { ...options(call), concepts: true, names });
      if (shown.modelVersion?.outputInfo) shown.outputInfo = shown.modelVersion.outputInfo;
      return { model: shown };
    },

    async postModelVersionsPublish(req, call) {
      await publish(call, req, visibility.public);
      return {};
    },
    async postModelVersionsUnPublish(req, call) {
      await publish(call, req, visibility.private);
      return {};
    },

    /** Turns models of the old format into the new one. Here are none of the old: every version is as it should be. */
    async postModelMigration(req, call) {
      const { model, version } = await readModelAndVersion(db, call.app, req.modelId, req.versionId);
      return { model: showModel(model, version, options(call)) };
    },

    async deleteModelMigration(req, call) {
      await readModelRow(db, call.app, req.modelId);
      throw commonFault.missing('migration of the model', req.modelId);
    },

    async listModelVersionInputExamples(req, call) {
      const all = await examplesOf(call, req.modelId, req.modelVersionId);
      const page = readPage(req);
      const from = firstPosition(page);
      return { modelVersionInputExamples: all.slice(from, from + page.size) };
    },

    async getModelVersionInputExample(req, call) {
      const all = await examplesOf(call, req.modelId, req.modelVersionId);
      const found = all.find(({ id }) => id === req.exampleId);
      if (!found) throw commonFault.missing('input example', req.exampleId);
      return { modelVersionInputExample: found };
    },
  };

  /** Some of what a version was trained on; for members only, whose inputs they are. */
  async function examplesOf(
    call: Call,
    modelId: string,
    versionId: string,
  ): Promise<ModelVersionInputExample[]> {
    const { version } = await readModelAndVersion(db, call.app, modelId, versionId);
    const learntFrom = version && datasetOf(bodyOfVersion(version));
    if (!version || !learntFrom?.versionId || !call.app.isMember) return [];
    const found = await deps.examplesIn(call.app, learntFrom.id, learntFrom.versionId);
    const ids = new Set(found.flatMap(({ conceptIds }) => conceptIds));
    const names = new Map((await conceptsById(db, call.app, [...ids])).map(({ id, name }) => [id, name]));
    return found.map(({ input, conceptIds }) =>
      create(ModelVersionInputExampleSchema, {
        id: input.id,
        modelId,
        modelVersionId: version.id,
        name: input.id,
        description: conceptIds.length > 0 ? 'An input that the version was trained on.' : '',
        data: create(DataSchema, {
          ...media(input.data),
          concepts: conceptIds.map((id) => ({ id, name: names.get(id) ?? id, value: 1 })),
        }),
      }),
    );
  }

  async function newVersion(
    tx: Tx,
    call: Call,
    model: ModelRow,
    sent: ModelVersion | undefined,
    note: string,
  ): Promise<VersionRow> {
    const settings = readVersion(sent, undefined);
    if (settings.id) {
      const trouble = idTrouble(settings.id, 'model version');
      if (trouble) throw modelFault.invalid(trouble);
    }
    const gettable = settings.visibility ? readVisibility(settings.visibility) : model.visibility;
    if (settings.visibility) await checkVisibility(call, gettable);
    const trains = isTrainable(model.typeId) && settings.pretrainedModelConfig === undefined;
    if (trains && !canTrain(model.typeId)) throw modelFault.untrainable(model.typeId);
    if (trains) checkTrainingParams(model.typeId, settings);
    const before = await findVersion(tx, call.app, model.key);
    if (trains && before) inherit(settings, bodyOfVersion(before));
    const id = settings.id || newId();
    if (trains) await pinDataset(tx, call, model.id, id, settings);
    const concepts = settings.outputInfo?.data?.concepts ?? [];
    await settleConcepts(tx, call.app, concepts);
    if (trains) settings.metadata = withNote(settings, trainingNote(model.typeId));
    const version = await insertVersion(tx, call.app, model.key, {
      id,
      statusCode: trains ? StatusCode.MODEL_QUEUED_FOR_TRAINING : StatusCode.MODEL_TRAINED,
      statusDetails: '',
      visibility: gettable,
      conceptIds: concepts.map((concept) => concept.id),
      license: settings.license,
      description: settings.description || note,
      body: packVersion(settings),
      trainLogToken: trains ? randomBytes(24).toString('hex') : '',
    });
    if (!version) throw commonFault.duplicateId('model version', settings.id);
    if (trains) await deps.enqueueTraining(tx, call.app, version.key);
    return version;
  }

  /**
   * Where a dataset is named without a version, or none is named at all, a version is made, so that it stays known
   * what the model was trained on. A dataset that is not there is met by the training, which says so in the status.
   */
  async function pinDataset(
    tx: Tx,
    call: Call,
    modelId: string,
    versionId: string,
    settings: ModelVersion,
  ): Promise<void> {
    const named = datasetOf(settings);
    const isOwn = named.appId === '' || named.appId === call.app.appId;
    if (named.versionId !== '' || !isOwn) return;
    const what = `For the training of version ${versionId} of model ${modelId}`;
    const made = await deps.addTrainingVersion(tx, call.app, named.id, what);
    if (!made) return;
    settings.trainInfo ??= create(TrainInfoSchema);
    settings.trainInfo.dataset = create(DatasetSchema, {
      id: made.datasetId,
      appId: call.app.appId,
      userId: call.app.userId,
      version: { id: made.id },
    });
  }

  async function keep(tx: Tx, call: Call, before: VersionRow, after: ModelVersion): Promise<VersionRow> {
    const gettable = readVisibility(after.visibility);
    if (gettable !== before.visibility) await checkVisibility(call, gettable);
    const row = await updateVersion(tx, call.app, before.key, {
      visibility: gettable,
      license: after.license,
      description: after.description,
      body: packVersion(after),
    });
    if (!row) throw commonFault.missing('model version', before.id);
    return row;
  }

  async function publish(
    call: Call,
    req: { modelId: string; publications: { versionId: string }[] },
    gettable: number,
  ): Promise<void> {
    await checkVisibility(call, gettable);
    const model = await readModelRow(db, call.app, req.modelId);
    const ids = req.publications.map((one) => one.versionId);
    await db.transaction(async (tx) => {
      const found = new Set(await showVersions(tx, call.app, model.key, ids, gettable));
      const missing = ids.find((id) => !found.has(id));
      if (missing !== undefined) throw modelFault.missingVersion(req.modelId, missing);
    });
  }

  async function checkVisibility(call: Call, gettable: number): Promise<void> {
    if (gettable >= visibility.public && !(await deps.isProfilePublic(call.app)))
      throw commonFault.profilePrivate();
  }
}

/** What an input shows or says, without what is known of it. */
const media = ({ image, video, audio, text }: Partial<Data> = {}) => ({
  ...(image && { image }),
  ...(video && { video }),
  ...(audio && { audio }),
  ...(text && { text }),
});

/** A training that names no concepts, or no other settings, goes on from those of the version before. */
function inherit(settings: ModelVersion, before: ModelVersion): void {
  if (!before.outputInfo) return;
  if (!settings.outputInfo) {
    settings.outputInfo = before.outputInfo;
    return;
  }
  if (!settings.outputInfo.data?.concepts.length && before.outputInfo.data)
    settings.outputInfo.data = before.outputInfo.data;
  if (!settings.outputInfo.outputConfig && before.outputInfo.outputConfig) {
    settings.outputInfo.outputConfig = before.outputInfo.outputConfig;
  }
}

const withNote = (settings: ModelVersion, note: string | undefined): ModelVersion['metadata'] =>
  note ? { ...settings.metadata, training_note: note } : settings.metadata;

/** A version as its owner may change it: body and columns together. */
const editable = (row: VersionRow): ModelVersion =>
  create(ModelVersionSchema, {
    ...bodyOfVersion(row),
    visibility: showVisibility(row.visibility),
    license: row.license,
    description: row.description,
  });

function readSort(req: ListModelVersionsRequest): { by: VersionSort; ascending: boolean } {
  const ascending = req.sortAscending;
  switch (req.sortBy.case) {
    case 'sortByStatusCode':
      return { by: 'status_code', ascending };
    case 'sortByNumInputs':
      return { by: 'num_inputs', ascending };
    case 'sortByDescription':
      return { by: 'description', ascending };
    default:
      return { by: 'created_at', ascending };
  }
}
