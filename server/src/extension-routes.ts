import { AnnotationSchema, ruleOf, SingleUploadResponseSchema } from '@fovea/contract';
import { jobCall } from '#domain/call.ts';
import type { AppGrant } from '#domain/grant.ts';
import { encodeJson, type openAuthorizer, referenceRoutes } from '#gateway/index.ts';
import { historyRoute, maskRoute } from '#resources/annotations/index.ts';
import { beyondRoutes, exportRoute, findDatasetKeys } from '#resources/datasets/index.ts';
import { duplicateRoutes } from '#resources/duplicates/index.ts';
import { evaluationRoutes } from '#resources/evaluations/index.ts';
import { extractionRoute } from '#resources/extraction/index.ts';
import type { RememberedDirectory } from '#resources/identity/index.ts';
import { changeOf } from '#resources/indexing/index.ts';
import { findInputs, framesRoute, type MediaGrant, mediaRoutes } from '#resources/inputs/index.ts';
import { modelExportRoute, modelUploadRoute } from '#resources/model-files/index.ts';
import { trainLogRoute } from '#resources/models/index.ts';
import { backendRoute, openAiRoutes } from '#resources/predictions/index.ts';
import { transferRoutes } from '#resources/transfers/index.ts';
import { uploadRoutes } from '#resources/uploads/index.ts';
import { indexRoutes } from '#resources/vector-indexes/index.ts';
import { runTimesRoute } from '#resources/workflows/index.ts';
import { evaluationParts, modelFileParts, type openService, type ServiceDeps } from '#service.ts';

type HeaderOf = (name: string) => string | undefined;

interface ExtensionParts {
  readonly deps: ServiceDeps;
  readonly directory: RememberedDirectory;
  readonly service: ReturnType<typeof openService>;
  readonly authorizer: ReturnType<typeof openAuthorizer>;
  /** How names are written in JSON. */
  readonly names: NonNullable<Parameters<typeof encodeJson>[2]>['names'];
  readonly requestBytesMax: number;
}

/** What is answered beside the contract about the things of an app: bytes, and the documented extensions. */
export function extensionRoutes(parts: ExtensionParts) {
  const { deps, directory, service, authorizer, names, requestBytesMax } = parts;
  const grantFor = async (rpc: string, header: HeaderOf, userId: string, appId: string) =>
    (await authorizer.authorize(ruleOf(rpc), header, { userId, appId })).app as AppGrant;
  // Whoever may call the RPC on an app may have what the route gives of it.
  const as =
    (rpc: string): MediaGrant =>
    (header, userId, appId) =>
      grantFor(rpc, header, userId, appId);
  const media = { ...deps, mediaGrant: as('GetInput') };
  return [
    ...mediaRoutes(media),
    framesRoute(media),
    historyRoute({
      ...deps,
      findInputs,
      annotationsGrant: as('ListAnnotations'),
      encode: (annotation) => encodeJson(AnnotationSchema, annotation, { names }),
    }),
    ...uploadRoutes({
      ...deps,
      partBytesMax: requestBytesMax,
      encode: (reply) => encodeJson(SingleUploadResponseSchema, reply, { names }),
      grantFor,
    }),
    ...indexRoutes({ ...deps, changeOf, grantFor }),
    ...duplicateRoutes({ ...deps, grantFor, findDatasetKeys }),
    ...beyondRoutes({ ...deps, grantFor }),
    ...transferRoutes({
      ...deps,
      grantFor: async (rpcs, header, userId, appId) => {
        const grants: AppGrant[] = [];
        for (const rpc of rpcs) grants.push(await grantFor(rpc, header, userId, appId));
        return grants[0] as AppGrant;
      },
    }),
    exportRoute({ ...deps, grant: as('GetDatasetVersion') }),
    maskRoute({ ...deps, annotationsGrant: as('ListAnnotations') }),
    extractionRoute({ ...deps, grantFor: as('GetInputsExtractionJob') }),
    trainLogRoute(deps.db),
    backendRoute({ ...deps, grant: as('PostModelVersions') }),
    ...openAiRoutes({
      grant: as('PostModelOutputs'),
      predict: async (grant, request, signal) => {
        const reply = await service.postModelOutputs(request, jobCall('PostModelOutputs', grant, signal));
        return reply as Awaited<ReturnType<Parameters<typeof openAiRoutes>[0]['predict']>>;
      },
      generate: (grant, request, signal) =>
        service.generateModelOutputs(request, jobCall('GenerateModelOutputs', grant, signal)) as ReturnType<
          Parameters<typeof openAiRoutes>[0]['generate']
        >,
    }),
    modelUploadRoute({ ...modelFileParts(deps), grant: as('PostModelVersionsUpload') }),
    modelExportRoute({ ...deps, grant: as('GetModelVersionExport') }),
    runTimesRoute({ ...deps, signIn: authorizer.signIn }),
    ...evaluationRoutes({ ...evaluationParts(deps, directory), evaluationGrant: as('GetEvaluation') }),
    ...referenceRoutes(),
  ];
}
