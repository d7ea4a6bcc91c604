import { clone, create } from '@bufbuild/protobuf';
import {
  FullTagSchema,
  InputInfoSchema,
  type Model,
  ModelSchema,
  type ModelVersion,
  ModelVersionSchema,
  type OutputInfo,
  OutputInfoSchema,
  type StatusCode,
  StatusSchema,
  TrainInfoSchema,
} from '@fovea/contract';
import type { AppGrant, UserGrant } from '#domain/grant.ts';
import { idTrouble, newId } from '#domain/ids.ts';
import type { Json, JsonMap } from '#domain/patch.ts';
import type { Deps } from '../common/deps.ts';
import { status } from '../common/status.ts';
import {
  packBody,
  readVisibility,
  searchWords,
  showTime,
  showVisibility,
  unpackBody,
} from '../common/translate.ts';
import { idFromName } from '../concepts/index.ts';
import { canonicalTypeId, findModelType } from './catalogue/index.ts';
import { modelFault } from './faults.ts';
import { defaultTypeId, type ModelRow, type NewModel, type VersionRow } from './model.ts';

const modelColumns = [
  'id',
  'name',
  'createdAt',
  'modifiedAt',
  'appId',
  'userId',
  'modelTypeId',
  'modelVersion',
  'outputInfo',
  'visibility',
  'toolkits',
  'useCases',
  'languages',
  'languagesFull',
  'isStarred',
  'starCount',
  'versionCount',
] as const;

const versionColumns = [
  'id',
  'createdAt',
  'modifiedAt',
  'completedAt',
  'status',
  'visibility',
  'appId',
  'userId',
  'metrics',
  'license',
  'description',
  'activeConceptCount',
  'totalInputCount',
  'trainLog',
] as const;

/** @throws Fault naming what is wrong with the id or the visibility */
export function readModel(wire: Model, _grant: AppGrant): NewModel {
  const id = wire.id || newId();
  const trouble = idTrouble(id, 'model');
  if (trouble) throw modelFault.invalid(trouble);
  return {
    id,
    name: wire.name || id,
    typeId: wire.modelTypeId || defaultTypeId,
    visibility: readVisibility(wire.visibility),
    toolkits: wire.toolkits,
    useCases: wire.useCases,
    languages: wire.languages,
    ...filedUnder(wire),
    body: packBody(ModelSchema, wire, modelColumns),
  };
}

/** Columns that exist for filters alone; the fields stay in the body too. */
export const filedUnder = (wire: Model) => ({
  creator: wire.creator,
  licenseType: wire.licenseType,
  source: wire.source,
  featured: wire.featuredOrder !== undefined,
});

export const wordsOfModel = (
  model: Pick<Model, 'id' | 'name' | 'description' | 'notes'>,
  userId: string,
): string => searchWords(model.id, model.name, model.description, model.notes, userId);

/** The free fields of a model row, as a message. */
export const bodyOfModel = (row: Pick<ModelRow, 'body'>): Model => unpackBody(ModelSchema, row.body);
export const bodyOfVersion = (row: Pick<VersionRow, 'body'>): ModelVersion =>
  unpackBody(ModelVersionSchema, row.body);
export const packModel = (model: Model): Buffer => packBody(ModelSchema, model, modelColumns);
export const packVersion = (version: ModelVersion): Buffer =>
  packBody(ModelVersionSchema, version, versionColumns);

/** A version as it was asked for: settings from all the places where clients put them. */
export function readVersion(wire: ModelVersion | undefined, model: Model | undefined): ModelVersion {
  const version = wire ? clone(ModelVersionSchema, wire) : create(ModelVersionSchema);
  // Older clients set output_info on the model itself.
  if (!version.outputInfo && model?.outputInfo)
    version.outputInfo = clone(OutputInfoSchema, model.outputInfo);
  const info = version.outputInfo;
  if (info) info.paramsSpecs = [];
  for (const concept of info?.data?.concepts ?? []) {
    concept.id ||= idFromName(concept.name);
    if (!concept.id)
      throw modelFault.invalid('output_info.data.concepts[]: a concept needs an id or a name.');
    const trouble = idTrouble(concept.id, 'concept');
    if (trouble) throw modelFault.invalid(`output_info.data.concepts[]: ${trouble}`);
    concept.name ||= concept.id;
  }
  if (info?.data) {
    // Named twice, a concept would be two classes of one id.
    info.data.concepts = [...new Map(info.data.concepts.map((concept) => [concept.id, concept])).values()];
  }
  return version;
}

/** What `output_info.message` says where the concepts of a model are left out. */
const outputInfoHint = 'Show output_info with: GET /models/{model_id}/output_info';

export interface ShowOptions {
  /** Shows the concepts in output_info; lists and outputs leave them out. */
  readonly concepts?: boolean;
  /** Names of concepts in another language, by id. */
  readonly names?: ReadonlyMap<string, string> | undefined;
  /** Shows the link to the training log. */
  readonly publicUrl?: string;
}

/** Who has the link reads the log, so a stranger to the app does not get it. */
export const logOption = (deps: Pick<Deps, 'publicUrl'>, grant: UserGrant, isMember: boolean): ShowOptions =>
  isMember ? { publicUrl: deps.publicUrl(grant) } : {};

export function showVersion(
  row: VersionRow,
  owner: { userId: string; appId: string },
  options: ShowOptions = {},
): ModelVersion {
  const body = bodyOfVersion(row);
  return create(ModelVersionSchema, {
    ...body,
    id: row.id,
    createdAt: showTime(row.createdAt),
    modifiedAt: showTime(row.modifiedAt),
    completedAt: showTime(row.completedAt),
    status: create(StatusSchema, {
      ...status(row.statusCode as StatusCode, row.statusDetails),
      percentCompleted: row.percentCompleted,
    }),
    activeConceptCount: row.conceptIds.length,
    totalInputCount: row.inputCount,
    description: row.description,
    license: row.license,
    visibility: showVisibility(row.visibility),
    appId: owner.appId,
    userId: owner.userId,
    metadata: body.metadata ?? {},
    outputInfo: showOutputInfo(body.outputInfo, options),
    inputInfo: body.inputInfo ?? create(InputInfoSchema, { params: {} }),
    trainInfo: body.trainInfo ?? create(TrainInfoSchema, { params: {} }),
    ...(row.trainLogToken && options.publicUrl !== undefined
      ? { trainLog: `${options.publicUrl}${trainLogPath}${row.trainLogToken}` }
      : {}),
  });
}

/** Where training logs are served, without sign-in, by token. */
export const trainLogPath = '/train_logs/';

function showOutputInfo(info: OutputInfo | undefined, options: ShowOptions): OutputInfo {
  const shown = info ? clone(OutputInfoSchema, info) : create(OutputInfoSchema);
  shown.outputConfig ??= create(OutputInfoSchema, { outputConfig: {} }).outputConfig;
  shown.params ??= {};
  if (!options.concepts) {
    if (shown.data) shown.data.concepts = [];
    shown.message = outputInfoHint;
  } else {
    for (const concept of shown.data?.concepts ?? [])
      concept.name = options.names?.get(concept.id) ?? concept.name;
  }
  return shown;
}

export function showModel(row: ModelRow, version: VersionRow | undefined, options: ShowOptions = {}): Model {
  const body = bodyOfModel(row);
  return create(ModelSchema, {
    ...body,
    id: row.id,
    name: row.name,
    createdAt: showTime(row.createdAt),
    modifiedAt: showTime(row.modifiedAt),
    appId: row.appId,
    userId: row.userId,
    modelTypeId: row.typeId,
    visibility: showVisibility(row.visibility),
    toolkits: [...row.toolkits],
    useCases: [...row.useCases],
    languages: [...row.languages],
    languagesFull: row.languages.map((id) => create(FullTagSchema, { id, name: languageName(id) })),
    workflowRecommended: body.workflowRecommended ?? false,
    metadata: body.metadata ?? {},
    ...(version ? { modelVersion: showVersion(version, row, options) } : {}),
  });
}

const languageNames = new Intl.DisplayNames(['en'], { type: 'language', fallback: 'code' });

function languageName(code: string): string {
  try {
    return languageNames.of(code) ?? code;
  } catch {
    // Not a language code: shown as it was given.
    return code;
  }
}

/** Settings of a training, from `train_info.params` first and then from the places older clients use. */
export function trainParams(version: ModelVersion): JsonMap {
  const sent = {
    ...(version.outputInfo?.outputConfig?.hyperParams as JsonMap | undefined),
    ...(version.inputInfo?.params as JsonMap | undefined),
    ...(version.trainInfo?.params as JsonMap | undefined),
  };
  return Object.fromEntries(Object.entries(sent).map(([name, value]) => [name, unwrapped(value)]));
}

const wrappers = ['numberValue', 'stringValue', 'boolValue', 'number_value', 'string_value', 'bool_value'];

/**
 * The official Node client reads defaults as messages (`{numberValue: 5}`) and sends them back as such, as JSON
 * inside of JSON.
 */
function unwrapped(value: Json): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const [only, ...others] = Object.keys(value);
  if (only === undefined || others.length > 0) return value;
  if (only === 'nullValue' || only === 'null_value') return null;
  return wrappers.includes(only) ? (value[only] as Json) : value;
}

/** Input kinds that models of a type take: image, text, embeddings …; empty where nobody said. */
export const inputKindsOf = (typeId: string): string[] =>
  (findModelType(canonicalTypeId(typeId))?.inputFields ?? []).flatMap((field) => field.split(','));
