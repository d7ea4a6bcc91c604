import type { Model, ModelType } from '@fovea/contract/rest';
import { useMemo } from 'react';
import { type AppName, useRpc } from '../../api/queries.ts';
import { isTrained } from '../models/version-badge.tsx';
import type { GraphNode } from './graph.ts';

const builtIn = { user_id: 'clarifai', app_id: 'main' };

/** Models that can stand in a workflow, by `user/app/id`, and the types that say what they take and give. */
export function useModels(app: AppName): {
  readonly models: ReadonlyMap<string, GraphNode['model']>;
  readonly types: ReadonlyMap<string, ModelType>;
} {
  const own = useRpc('ListModels', { user_app_id: app, per_page: 500 }).data?.models;
  const given = useRpc('ListModels', { user_app_id: builtIn, per_page: 500 }).data?.models;
  const listed = useRpc('ListModelTypes', { user_app_id: app, per_page: 500 }).data?.model_types;
  return useMemo(() => {
    const usable = [...(own ?? []), ...(given ?? [])].filter((model: Model) =>
      isTrained(model.model_version),
    );
    return {
      models: new Map(
        usable.map((model) => [
          `${model.user_id}/${model.app_id}/${model.id}`,
          {
            id: model.id ?? '',
            userId: model.user_id ?? '',
            appId: model.app_id ?? '',
            versionId: '',
            typeId: model.model_type_id ?? '',
            name: model.name || (model.id ?? ''),
          },
        ]),
      ),
      types: new Map((listed ?? []).map((type) => [type.id ?? '', type])),
    };
  }, [own, given, listed]);
}
