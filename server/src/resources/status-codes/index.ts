import { type ServicePart, StatusCode, statusCodeRules } from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import { commonFault } from '../common/faults.ts';
import { status } from '../common/status.ts';

/** The catalogue of status codes, straight from the descriptors. Needs no key. */
export function statusCodeHandlers(): ServicePart<Call, 'listStatusCodes' | 'getStatusCode'> {
  return {
    async listStatusCodes() {
      const codes = [...statusCodeRules.keys()].filter((code) => code !== StatusCode.ZERO);
      return { statuses: codes.map((code) => status(code as StatusCode)) };
    },

    /** The code asked for comes back as the top-level status itself (SEMANTICS 1.7). */
    async getStatusCode(req) {
      const code = Number(req.statusCodeId);
      if (!statusCodeRules.has(code) || code === StatusCode.ZERO)
        throw commonFault.missing('status code', req.statusCodeId);
      return { status: status(code as StatusCode) };
    },
  };
}
