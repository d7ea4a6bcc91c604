import type { IncomingMessage, ServerResponse } from 'node:http';
import { create } from '@bufbuild/protobuf';
import { ModelVersionSchema, StatusCode } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { idTrouble, newId } from '#domain/ids.ts';
import type { JsonMap } from '#domain/patch.ts';
import type { Deps } from '../../common/deps.ts';
import { commonFault } from '../../common/faults.ts';
import { readJsonBody } from '../../common/request-body.ts';
import { insertVersion, lockModel, modelFault, packVersion, touchModel } from '../../models/index.ts';
import { type Backend, backendKinds, backendMark, insertBackend } from './backend.ts';

type HeaderOf = (name: string) => string | undefined;

const shape = /^\/v2\/ext\/fovea\/users\/([^/]+)\/apps\/([^/]+)\/models\/([^/]+)\/backends\/?$/;
const secondsUsual = 60;
const secondsMax = 600;

/** Makes a model version that a service elsewhere answers for; documented in docs/EXTENSIONS.md. */
export function backendRoute(
  deps: Deps & {
    /** Signs in whoever may post versions to the app. @throws Fault as PostModelVersions would */
    readonly grant: (header: HeaderOf, userId: string, appId: string) => Promise<AppGrant>;
  },
) {
  return {
    verb: 'POST' as const,
    path: shape,
    async answer(
      request: IncomingMessage,
      response: ServerResponse,
      { url, header, requestId }: { url: URL; header: HeaderOf; requestId: string },
    ): Promise<void> {
      const [userId = '', appId = '', modelId = ''] = (shape.exec(url.pathname) ?? [])
        .slice(1)
        .map(decodeURIComponent);
      const grant = await deps.grant(header, userId, appId);
      const { backend, versionId, params } = readBackend(deps, await readJsonBody(request));
      const id = await deps.db.transaction(async (tx) => {
        const model = await lockModel(tx, grant, modelId);
        if (!model) throw modelFault.missing(modelId);
        const version = await insertVersion(tx, grant, model.key, {
          id: versionId || newId(),
          statusCode: StatusCode.MODEL_TRAINED,
          statusDetails: '',
          visibility: model.visibility,
          conceptIds: [],
          license: '',
          description: '',
          builtin: backendMark,
          body: packVersion(
            create(ModelVersionSchema, {
              outputInfo: { params },
              metadata: { backend: { kind: backend.kind, url: backend.url, model: backend.remoteModel } },
            }),
          ),
        });
        if (!version) throw commonFault.duplicateId('model version', versionId);
        await insertBackend(tx, grant, version.key, backend);
        await touchModel(tx, grant, model.key);
        return version.id;
      });
      response.writeHead(200, {
        'content-type': 'application/json; charset=utf-8',
        'cache-control': 'no-store',
      });
      const status = { code: StatusCode.SUCCESS, description: 'Ok', req_id: requestId };
      response.end(JSON.stringify({ status, model_version_id: id }));
    },
  };
}

function readBackend(
  { sealer }: Deps,
  sent: Record<string, unknown>,
): { backend: Backend; versionId: string; params: JsonMap } {
  const kind = backendKinds.find((one) => one === sent.kind);
  if (!kind) throw commonFault.invalid(`kind must be one of ${backendKinds.join(', ')}.`);
  const url = typeof sent.url === 'string' ? sent.url.replace(/\/+$/, '') : '';
  if (!/^https?:\/\//.test(url) || !URL.canParse(url) || new URL(url).username !== '')
    throw commonFault.invalid('url must be an http or https address without a credential in it.');
  if (typeof sent.model !== 'string' || sent.model === '' || sent.model.length > 300)
    throw commonFault.invalid('model must name the model as the service calls it.');
  const seconds = sent.timeout_seconds ?? secondsUsual;
  if (typeof seconds !== 'number' || !(seconds >= 1 && seconds <= secondsMax))
    throw commonFault.invalid(`timeout_seconds must be between 1 and ${secondsMax}.`);
  const key = sent.api_key ?? '';
  if (typeof key !== 'string' || key.length > 4096) throw commonFault.invalid('api_key must be a text.');
  const versionId = sent.version_id ?? '';
  const trouble =
    typeof versionId === 'string'
      ? versionId && idTrouble(versionId, 'model version')
      : 'version_id must be a text.';
  if (trouble) throw commonFault.invalid(trouble);
  const params = sent.params ?? {};
  if (typeof params !== 'object' || Array.isArray(params))
    throw commonFault.invalid('params must be an object.');
  return {
    backend: {
      kind,
      url,
      remoteModel: sent.model,
      sealedKey: key === '' ? null : sealer.seal(key),
      timeoutMs: 1000 * seconds,
    },
    versionId: versionId as string,
    params: params as JsonMap,
  };
}
