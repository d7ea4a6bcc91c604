import { create, fromBinary } from '@bufbuild/protobuf';
import {
  type EvalMetrics,
  EvalMetricsSchema,
  type FieldsValue,
  type ServicePart,
  StatusCode,
} from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import { status } from '../common/status.ts';
import type { ModelDeps } from './deps.ts';
import { modelFault } from './faults.ts';
import { readModelAndVersion } from './find.ts';
import { logOption, showVersion } from './translate.ts';
import { metricsOf } from './version-store.ts';

export function modelMetricsHandlers(deps: ModelDeps): ServicePart<Call, 'getModelVersionMetrics'> {
  const { db } = deps;
  return {
    /** What training found out about a version; parts other than the summary only where asked for. */
    async getModelVersionMetrics(req, call) {
      const { model, version } = await readModelAndVersion(db, call.app, req.modelId, req.versionId);
      if (!version) throw modelFault.missingVersion(req.modelId, req.versionId);
      const stored = await metricsOf(db, call.app, version.key);
      const modelVersion = showVersion(version, model, logOption(deps, call.app.isMember));
      modelVersion.metrics = stored
        ? withFields(fromBinary(EvalMetricsSchema, stored), req.fields)
        : create(EvalMetricsSchema, { status: status(StatusCode.MODEL_NOT_EVALUATED) });
      return { modelVersion };
    },
  };
}

function withFields(metrics: EvalMetrics, asked: FieldsValue | undefined): EvalMetrics {
  if (!asked?.confusionMatrix) metrics.confusionMatrix = undefined;
  if (!asked?.cooccurrenceMatrix) metrics.cooccurrenceMatrix = undefined;
  if (!asked?.labelCounts) metrics.labelCounts = undefined;
  if (!asked?.binaryMetrics) metrics.binaryMetrics = [];
  if (!asked?.testSet) metrics.testSet = [];
  if (!asked?.metricsByArea) metrics.metricsByArea = [];
  if (!asked?.metricsByClass) metrics.metricsByClass = [];
  return metrics;
}
