import { tinyPng } from '../../server/src/testing/inputs.ts';
import { pngOf } from '../../server/src/testing/png.ts';
import type { Ids } from './shapes.ts';
import type { Json } from './wire.ts';

const picture = Buffer.from(tinyPng(77, 8)).toString('base64');

/**
 * The least that makes a request go deep: without it most calls would end at the first missing field.
 * `n` keeps ids of what is made apart.
 */
export function templateFor(rpc: string, ids: Ids, n: number): Json {
  const input = { id: `made-${n}`, data: { image: { base64: picture } } };
  const annotation = { input_id: ids['input'], data: { concepts: [{ id: ids['concept'], value: 1 }] } };
  const all: Record<string, () => Json> = {
    PostInputs: () => ({ inputs: [input] }),
    PatchInputs: () => ({
      action: 'merge',
      inputs: [{ id: ids['input'], data: { metadata: { mark: `${n}` } } }],
    }),
    DeleteInputs: () => ({ ids: [`gone-${n}`] }),
    DeleteInput: () => ({ input_id: `gone-${n}` }),
    PostConcepts: () => ({ concepts: [{ id: `made-${n}`, name: `made ${n}` }] }),
    PatchConcepts: () => ({ action: 'overwrite', concepts: [{ id: ids['concept'], name: `again ${n}` }] }),
    PostAnnotations: () => ({ annotations: [annotation] }),
    PatchAnnotations: () => ({ action: 'merge', annotations: [{ ...annotation, id: ids['annotation'] }] }),
    DeleteAnnotations: () => ({ ids: [`gone-${n}`], input_ids: [ids['input']] }),
    DeleteAnnotation: () => ({ input_id: ids['input'], annotation_id: `gone-${n}` }),
    PostDatasets: () => ({ datasets: [{ id: `made-${n}` }] }),
    PatchDatasets: () => ({ action: 'merge', datasets: [{ id: ids['dataset'], description: `again ${n}` }] }),
    DeleteDatasets: () => ({ dataset_ids: [`gone-${n}`] }),
    PostDatasetInputs: () => ({
      dataset_id: ids['dataset'],
      dataset_inputs: [{ input: { id: ids['input'] } }],
    }),
    DeleteDatasetInputs: () => ({ dataset_id: ids['dataset'], input_ids: [`gone-${n}`] }),
    PostDatasetVersions: () => ({ dataset_id: ids['dataset'], dataset_versions: [{ id: `made-${n}` }] }),
    DeleteDatasetVersions: () => ({ dataset_id: ids['dataset'], dataset_version_ids: [`gone-${n}`] }),
    PostInputsSearches: () => ({
      searches: [
        { query: { filters: [{ annotation: { data: { concepts: [{ id: ids['concept'], value: 1 }] } } }] } },
      ],
    }),
    PostAnnotationsSearches: () => ({
      searches: [
        { query: { filters: [{ annotation: { data: { concepts: [{ id: ids['concept'], value: 1 }] } } }] } },
      ],
    }),
    PostSearches: () => ({
      searches: [
        { query: { filters: [{ annotation: { data: { concepts: [{ id: ids['concept'], value: 1 }] } } }] } },
      ],
    }),
    PostModels: () => ({ models: [{ id: `made-${n}`, model_type_id: 'visual-classifier' }] }),
    DeleteModels: () => ({ ids: [`gone-${n}`] }),
    DeleteModel: () => ({ model_id: `gone-${n}` }),
    PostModelOutputs: () => ({
      model_id: 'general-image-recognition',
      user_app_id: { user_id: 'clarifai', app_id: 'main' },
      inputs: [{ data: { image: { base64: picture } } }],
    }),
    PostWorkflows: () => ({
      workflows: [
        {
          id: `made-${n}`,
          nodes: [
            { id: 'a', model: { id: 'general-image-recognition', user_id: 'clarifai', app_id: 'main' } },
          ],
        },
      ],
    }),
    DeleteWorkflows: () => ({ ids: [`gone-${n}`] }),
    DeleteWorkflow: () => ({ workflow_id: `gone-${n}` }),
    PostWorkflowResults: () => ({ inputs: [{ data: { image: { base64: picture } } }] }),
    PostApps: () => ({
      apps: [{ id: `made-${n}`, default_workflow: { id: 'Empty', user_id: 'clarifai', app_id: 'main' } }],
    }),
    PatchApps: () => ({ action: 'overwrite', apps: [{ id: ids['app'], description: `again ${n}` }] }),
    PostKeys: () => ({
      keys: [{ description: 'made', scopes: ['Apps_Get'], apps: [{ id: ids['app'], user_id: ids['user'] }] }],
    }),
    PatchKeys: () => ({ action: 'overwrite', keys: [{ id: 'no-such-key', description: 'again' }] }),
    PatchUsers: () => ({ action: 'overwrite', users: [{ id: ids['user'], bio: `again ${n}` }] }),
    PostUploads: () => ({ uploads: [{ id: `made-${n}`, content_name: 'a.zip', content_length: 10 }] }),
    PutUploadContentParts: () => ({
      upload_id: ids['upload'],
      content_parts: [{ part_number: 1, range_start: 0, data: 'QQ==' }],
    }),
    PostInputsUploads: () => ({
      inputs_uploads: [{ inputs_add_job_id: `made-${n}`, upload: { content_length: 10 } }],
    }),
    PostInputsDataSources: () => ({
      data_sources: [{ inputs_add_job_id: `made-${n}`, url: { url: 'http://example.invalid/a/' } }],
    }),
    PostBulkOperations: () => ({
      bulk_operations: [
        {
          id: `made-${n}`,
          input_ids: { input_ids: [ids['input']] },
          operation: { add_metadata: { metadata: { mark: `${n}` } } },
        },
      ],
    }),
    CancelBulkOperations: () => ({ ids: [`gone-${n}`] }),
    DeleteBulkOperations: () => ({ ids: [`gone-${n}`] }),
    DeleteUploads: () => ({ ids: [`gone-${n}`] }),
    CancelInputsExtractionJobs: () => ({ ids: [`gone-${n}`] }),
    PostCollectors: () => ({
      collectors: [
        {
          id: `made-${n}`,
          pre_queue_random_sample: 1,
          collector_source: {
            api_post_model_outputs_collector_source: {
              model_user_id: ids['user'],
              model_app_id: ids['app'],
              model_id: ids['model'],
              model_version_id: ids['model_version'],
              post_inputs_key_id: 'no-such-key',
            },
          },
        },
      ],
    }),
    PatchCollectors: () => ({
      action: 'overwrite',
      collectors: [{ id: ids['collector'], status: { code: 52002 } }],
    }),
    DeleteCollectors: () => ({ ids: [`gone-${n}`] }),
    PostAppDuplications: () => ({
      app_duplications: [
        { id: `made-${n}`, destination_app: { id: `copy-${n}` }, filter: { copy_concepts: true } },
      ],
    }),
    PostConceptRelations: () => ({
      concept_id: ids['concept'],
      concept_relations: [
        {
          subject_concept: { id: ids['concept'] },
          object_concept: { id: ids['concept'] },
          predicate: 'hypernym',
        },
      ],
    }),
    PostConceptLanguages: () => ({
      concept_id: ids['concept'],
      concept_languages: [{ id: 'de', name: `Ding ${n}` }],
    }),
    PostKnowledgeGraphs: () => ({ knowledge_graphs: [{ id: `made-${n}`, name: `made ${n}` }] }),
    PostAnnotationFilters: () => ({
      annotation_filters: [{ id: `made-${n}`, name: `made ${n}`, saved_search: { id: ids['search'] } }],
    }),
    PostAnnotationTracks: () => ({
      input_id: ids['input'],
      annotation_tracks: [{ id: `made-${n}`, concept: { id: ids['concept'] } }],
    }),
    PutDatasetVersionExports: () => ({
      dataset_id: ids['dataset'],
      dataset_version_id: ids['dataset_version'],
      exports: [{ format: 1 }],
    }),
    PatchDatasetVersions: () => ({
      action: 'merge',
      dataset_id: ids['dataset'],
      dataset_versions: [{ id: ids['dataset_version'], description: `again ${n}` }],
    }),
    PostModelVersions: () => ({ model_id: ids['model'], model_versions: [{}] }),
    PatchModels: () => ({ action: 'merge', models: [{ id: ids['model'], description: `again ${n}` }] }),
    PatchWorkflows: () => ({
      action: 'merge',
      workflows: [{ id: ids['workflow'], description: `again ${n}` }],
    }),
    PostEvaluations: () => ({ eval_metrics: [{ model: { id: ids['model'] } }] }),
    PostStatValues: () => ({ stat_values: [{ metric: 'made', value: 1, tags: ['made'] }] }),
    DeleteCollaborators: () => ({ collaborator_ids: [`gone-${n}`] }),
    DeleteSearches: () => ({ ids: [`gone-${n}`] }),
    DeleteConcepts: () => ({ ids: [`gone-${n}`] }),
  };
  return all[rpc]?.() ?? {};
}

/** A grey or black PNG of any size that costs next to nothing to send: one bit a pixel, all the same. */
export function hugePng(width: number, height: number, bits: 1 | 8 = 1): Buffer {
  const row = Buffer.alloc(1 + Math.ceil((width * bits) / 8));
  const rows = Array.from({ length: height }, () => row);
  return pngOf(width, height, rows, { bits, colour: 0 });
}
