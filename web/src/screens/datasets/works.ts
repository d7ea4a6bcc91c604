import { call } from '../../api/client.ts';
import type { AppName } from '../../api/queries.ts';
import { Trouble } from '../../api/trouble.ts';
import { pathTo } from '../../app/place.ts';

/** Long work on a dataset version, beyond the contract (docs/EXTENSIONS.md). */
export interface Work {
  readonly id: string;
  readonly status: { readonly code?: number; readonly description?: string; readonly details?: string };
  readonly progress?: { readonly done?: number; readonly total?: number };
  readonly kept_version_id?: string;
  readonly found?: number;
}

const over = [64002, 64003, 64004];
const done = 64002;

export const datasetPath = (app: AppName, datasetId: string): string =>
  `/v2/ext/fovea${pathTo('users', app.user_id, 'apps', app.app_id, 'datasets', datasetId)}`;

export async function startWork(
  app: AppName,
  datasetId: string,
  versionId: string,
  kind: 'restore' | 'leaks',
  body: object,
): Promise<Work> {
  const path = `${datasetPath(app, datasetId)}/versions/${encodeURIComponent(versionId)}/${kind}`;
  return (await call<{ work: Work }>('POST', path, body)).work;
}

/** Resolves when the work is over. @throws Trouble where it failed */
export async function waitForWork(
  app: AppName,
  datasetId: string,
  id: string,
  progress: (work: Work) => void = () => undefined,
): Promise<Work> {
  for (;;) {
    const path = `${datasetPath(app, datasetId)}/works/${encodeURIComponent(id)}`;
    const { work } = await call<{ work: Work }>('GET', path, undefined, { quiet: true });
    progress(work);
    if (work.status.code === done) return work;
    if (over.includes(work.status.code ?? 0))
      throw new Trouble(work.status.details || work.status.description || '', { advice: 'advice.change' });
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
