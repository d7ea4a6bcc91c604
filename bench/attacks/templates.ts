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
