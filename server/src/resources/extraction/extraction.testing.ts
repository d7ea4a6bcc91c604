import { setTimeout as sleep } from 'node:timers/promises';
import type { InputsExtractionJob } from '@fovea/contract';
import sharp from 'sharp';
import type { Person } from '#testing/people.ts';

/** A small picture that no other number makes. */
export function picture(n: number): Promise<Buffer> {
  const background = { r: n % 256, g: (n >> 8) % 256, b: (n >> 16) % 256 };
  return sharp({ create: { width: 20, height: 16, channels: 3, background } })
    .png()
    .toBuffer();
}

/** Sends an archive by PostInputsUploads, in parts. @returns the id of its add job */
export async function sendArchive(
  person: Person,
  bytes: Buffer,
  options: {
    name?: string;
    partBytes?: number;
    template?: object;
    conflicts?: number;
    addJobId?: string;
  } = {},
): Promise<string> {
  const { name = 'photos.zip', partBytes = 1 << 20 } = options;
  const wanted = {
    inputsAddJobId: options.addJobId ?? '',
    upload: { contentName: name, contentLength: BigInt(bytes.length) },
    inputIdConflictResolution: options.conflicts ?? 0,
    ...(options.template ? { inputTemplate: options.template } : {}),
  };
  const reply = await person.client.postInputsUploads({ inputsUploads: [wanted as never] });
  const [addJob] = reply.inputsAddJobs;
  if (!addJob) throw new Error(`${reply.status?.code} ${reply.status?.details}`);
  const uploadId = addJob.uploads[0]?.id as string;
  for (let at = 0, number = 1n; at < bytes.length; at += partBytes, number++) {
    const data = bytes.subarray(at, at + partBytes);
    const contentParts = [{ partNumber: number, rangeStart: BigInt(at), data }];
    const put = await person.client.putUploadContentParts({ uploadId, contentParts });
    if (put.status?.code !== 10000) throw new Error(`${put.status?.code} ${put.status?.details}`);
  }
  return addJob.id;
}

/** Waits until the one extraction job of an add job is over. */
export async function extracted(
  person: Person,
  addJobId: string,
  withinMs = 60_000,
): Promise<InputsExtractionJob> {
  for (const end = Date.now() + withinMs; Date.now() < end; await sleep(30)) {
    const { inputsAddJob, status } = await person.client.getInputsAddJob({ id: addJobId });
    const job = inputsAddJob?.extractionJobs[0];
    if (!job) throw new Error(`no extraction job: ${status?.details}`);
    if (job.status?.code !== 64000 && job.status?.code !== 64001) return job;
  }
  throw new Error('the extraction does not end');
}

/** Files that came to no input, as name: details. */
export async function faultsOf(person: Person, jobId: string): Promise<string[]> {
  const path = `/v2/ext/fovea/users/${person.userId}/apps/${person.appId}/inputs/jobs/extraction/${jobId}/faults`;
  const { json } = await person.rest('GET', path);
  return json.faults.map(({ name, details }: { name: string; details: string }) => `${name}: ${details}`);
}

export async function idsOf(person: Person): Promise<string[]> {
  const { inputs } = await person.client.listInputs({ perPage: 1000 });
  return inputs.map(({ id }) => id).sort();
}
