import { setTimeout as sleep } from 'node:timers/promises';
import type { Person } from './people.ts';

/** Waits until an app has so many processed inputs. */
export async function processed(person: Person, count: number): Promise<void> {
  for (let tries = 0; tries < 2_400; tries += 1) {
    const { inputs } = await person.client.listInputs({ perPage: 1000, status: { code: 30000 } });
    if (inputs.length >= count) return;
    await sleep(50);
  }
  throw new Error('the inputs were not processed');
}

/** Posts a version and waits until its training has ended. @returns the version, every status on the way, and the log */
export async function trainedVersion(
  person: Person,
  modelId: string,
  version: object = {},
  request: { evalInfo?: object } = {},
) {
  const posted = await person.client.postModelVersions({ modelId, modelVersions: [version], ...request });
  if (posted.status?.code !== 10000)
    throw new Error(`not posted: ${posted.status?.code} ${posted.status?.details}`);
  const versionId = posted.model?.modelVersion?.id ?? '';
  const seen = [posted.model?.modelVersion?.status?.code];
  for (let tries = 0; tries < 6_000; tries += 1) {
    const { modelVersion } = await person.client.getModelVersion({ modelId, versionId });
    const code = modelVersion?.status?.code;
    if (seen.at(-1) !== code) seen.push(code);
    if (code !== 21103 && code !== 21101) {
      const log = await fetch((modelVersion?.trainLog ?? '').replace(/^https?:\/\/[^/]+/, person.url));
      return { version: modelVersion, seen, log: await log.text() };
    }
    await sleep(50);
  }
  throw new Error('the training did not end');
}
