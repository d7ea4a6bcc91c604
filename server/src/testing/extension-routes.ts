/** A route beside the contract (docs/EXTENSIONS.md and the URLs that replies carry). */
export interface ExtensionRoute {
  readonly verb: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** `{user}`, `{app}` and names of things stand for what a caller fills in. */
  readonly path: string;
  /** RPCs of the contract whose rights a caller needs, all of them. */
  readonly rpcs: readonly string[];
  /** Downloads are refused with the HTTP number alone; everything else with a status of the contract. */
  readonly isDownload?: true;
  readonly body?: object;
}

const app = '/v2/ext/fovea/users/{user}/apps/{app}';
const dataset = `${app}/datasets/{dataset}`;
const evaluation = { verb: 'GET', rpcs: ['GetEvaluation'] } as const;
const toImport = ['PostInputs', 'PostAnnotations', 'PostDatasets', 'PostDatasetInputs'];
const toRead = ['ListInputs', 'ListAnnotations', 'GetDataset'];
const toRestore = [
  'PatchDatasets',
  'PostDatasetVersions',
  'PostDatasetInputs',
  'DeleteDatasetInputs',
  'PostInputs',
  'PostAnnotations',
  'DeleteAnnotations',
];

/** Every route that is about an app, each of which has to refuse whoever may not reach it. */
export const extensionRoutes: readonly ExtensionRoute[] = [
  { ...evaluation, path: `${app}/evaluations/{evaluation}/inputs` },
  { ...evaluation, path: `${app}/evaluations/{evaluation}/numbers` },
  { verb: 'GET', path: `${dataset}/versions/{version}/diff?from={other}`, rpcs: ['GetDatasetVersion'] },
  {
    verb: 'GET',
    path: `${dataset}/versions/{version}/diff/inputs?from={other}`,
    rpcs: ['GetDatasetVersion', 'ListInputs'],
  },
  { verb: 'POST', path: `${dataset}/versions/{version}/restore`, rpcs: toRestore, body: {} },
  {
    verb: 'POST',
    path: `${dataset}/versions/{version}/leaks`,
    rpcs: ['GetDatasetVersion', 'ListInputs'],
    body: {},
  },
  { verb: 'GET', path: `${dataset}/works/{work}`, rpcs: ['GetDatasetVersion'] },
  { verb: 'GET', path: `${dataset}/works/{work}/leaks`, rpcs: ['GetDatasetVersion', 'ListInputs'] },
  { verb: 'POST', path: `${app}/imports`, rpcs: toImport, body: { upload_id: '{upload}', dataset_id: 'd' } },
  { verb: 'POST', path: `${app}/exports`, rpcs: toRead, body: { dataset_id: '{dataset}', format: 'coco' } },
  { verb: 'GET', path: `${app}/indexes`, rpcs: ['PostInputsSearches'] },
  {
    verb: 'POST',
    path: `${app}/indexes/checks`,
    rpcs: ['PostInputsSearches', 'PostInputs'],
    body: {},
  },
  { verb: 'GET', path: `${app}/indexes/checks/{check}`, rpcs: ['PostInputsSearches'] },
  { verb: 'POST', path: `${app}/duplicates`, rpcs: ['ListInputs', 'PostInputsSearches'], body: {} },
  { verb: 'GET', path: `${app}/duplicates/{search}`, rpcs: ['ListInputs', 'PostInputsSearches'] },
  { verb: 'GET', path: `${app}/duplicates/{search}/groups`, rpcs: ['ListInputs', 'PostInputsSearches'] },
  { verb: 'GET', path: `${app}/inputs/{input}/frames`, rpcs: ['GetInput'] },
  {
    verb: 'PUT',
    path: `${app}/models/{model}/versions/{version}/content_parts/1?total_size=2`,
    rpcs: ['PostModelVersionsUpload'],
    body: {},
  },
  { verb: 'POST', path: `${app}/models/{model}/backends`, rpcs: ['PostModelVersions'], body: {} },
  {
    verb: 'GET',
    path: '/model_exports/users/{user}/apps/{app}/models/{model}/versions/{version}/model.tar',
    rpcs: ['GetModelVersionExport'],
    isDownload: true,
  },
  { verb: 'GET', path: `${app}/transfers`, rpcs: toRead },
  { verb: 'GET', path: `${app}/transfers/{transfer}`, rpcs: toRead },
  { verb: 'GET', path: `${app}/transfers/{transfer}/content`, rpcs: toRead },
  { verb: 'DELETE', path: `${app}/transfers/{transfer}`, rpcs: toImport },
  {
    verb: 'PUT',
    path: `${app}/uploads/{upload}/content_parts/1?range_start=0`,
    rpcs: ['PutUploadContentParts'],
    body: {},
  },
  {
    verb: 'GET',
    path: `${app}/inputs/jobs/extraction/{extraction}/faults`,
    rpcs: ['GetInputsExtractionJob'],
  },
  {
    verb: 'GET',
    path: '/v2/users/{user}/apps/{app}/inputs/{input}/history',
    rpcs: ['ListAnnotations'],
  },
  {
    verb: 'GET',
    path: '/v2/users/{user}/apps/{app}/inputs/{input}/annotations/{annotation}/history',
    rpcs: ['ListAnnotations'],
  },
  {
    verb: 'GET',
    path: '/masks/users/{user}/apps/{app}/inputs/{input}/orig/{annotation}',
    rpcs: ['ListAnnotations'],
  },
  {
    verb: 'GET',
    path: '/media/orig/users/{user}/apps/{app}/inputs/image/{sha}',
    rpcs: ['GetInput'],
    isDownload: true,
  },
  {
    verb: 'GET',
    path: '/media/thumbnail/users/{user}/apps/{app}/inputs/video/{sha}?frame=0',
    rpcs: ['GetInput'],
    isDownload: true,
  },
  { verb: 'GET', path: '/uploads/users/{user}/apps/{app}/{upload}', rpcs: ['GetUpload'], isDownload: true },
  {
    verb: 'GET',
    path: '/exports/users/{user}/apps/{app}/datasets/{dataset}/versions/{version}/coco.zip',
    rpcs: ['GetDatasetVersion'],
    isDownload: true,
  },
];

/** Routes of nobody's app: who may call them is the business of identity and of workflows, and tested there. */
export const otherRoutes = [
  'POST /v2/login',
  'POST /v2/ext/fovea/session',
  'DELETE /v2/ext/fovea/session',
  'POST /v2/ext/fovea/welcome',
  'POST /v2/ext/fovea/users',
  'GET /v2/ext/fovea/requests/{req_id}/nodes',
  'GET /v2/users/{user}/organizations',
  'POST /v2/ext/openai/v1/chat/completions',
  'POST /v2/ext/openai/v1/embeddings',
] as const;

/** Puts ids into a path or a body; what has no id names nothing that is there. */
export const filledIn = (text: string, ids: Readonly<Record<string, string>>): string =>
  text.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(ids[name] ?? 'nowhere'));
