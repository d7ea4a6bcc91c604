import type { ServicePart } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import { firstPosition, readPage } from '#domain/page.ts';
import { canonicalTypeId, findModelType, modelTypes } from './catalogue/index.ts';
import { modelFault } from './faults.ts';
import { openSourceLicenses } from './licenses.ts';

/** The catalogue of model types: the same for everyone, and no database is asked. */
export function modelTypeHandlers(): ServicePart<
  Call,
  'getModelType' | 'listModelTypes' | 'listOpenSourceLicenses'
> {
  return {
    async getModelType(req) {
      const modelType = findModelType(canonicalTypeId(req.modelTypeId));
      if (!modelType) throw modelFault.noSuchType(req.modelTypeId);
      return { modelType };
    },

    async listModelTypes(req) {
      const page = readPage(req);
      const first = firstPosition(page);
      return { modelTypes: modelTypes.slice(first, first + page.size) };
    },

    async listOpenSourceLicenses() {
      return { licenses: [...openSourceLicenses] };
    },
  };
}
