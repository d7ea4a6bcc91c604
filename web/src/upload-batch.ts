import { call } from './api.ts';
import { base64Of, inputIdOf } from './files.ts';
import { code, type Input, type Status, stateOf, wordsOf } from './wire.ts';

export type UploadState = 'waiting' | 'sending' | 'processing' | 'done' | 'already' | 'failed';

export interface Upload {
  readonly file: File;
  /** Where inputs of its app are posted: people may look at another app meanwhile. */
  readonly path: string;
  readonly concept: { readonly id: string; readonly name: string } | undefined;
  state: UploadState;
  why: string;
  requestId: string;
  inputId: string;
  /** The server holds it, in whatever state. */
  isStored: boolean;
  /** It was there before this upload. */
  wasHere: boolean;
}

const pollMs = { first: 400, most: 2500, growth: 1.3 };
const pollFailuresMax = 10;

/**
 * Posts the files of one batch, all of one app, under an add job. Files that cannot be read, and what the server
 * refuses, are marked as failed one by one.
 *
 * @throws Trouble where the whole request failed
 */
export async function sendBatch(batch: readonly Upload[], jobId: string): Promise<void> {
  const sendable = await readAll(batch);
  const [first] = sendable;
  if (!first) return;
  const { status, inputs } = await call<{ status?: Status; inputs?: Input[] }>(
    'POST',
    first.upload.path,
    { inputs_add_job_id: jobId, inputs: sendable.map(({ input }) => input) },
    { what: 'The pictures could not be uploaded.', mixedIsFine: true },
  );
  for (const [i, { upload }] of sendable.entries()) settle(upload, inputs?.[i], status?.req_id ?? '');
  window.dispatchEvent(new Event('inputs'));
}

async function readAll(batch: readonly Upload[]): Promise<{ upload: Upload; input: object }[]> {
  const sendable: { upload: Upload; input: object }[] = [];
  const ids = new Set<string>();
  for (const upload of batch) {
    const base64 = await base64Of(upload.file).catch((error: Error) => {
      Object.assign(upload, { state: 'failed', why: error.message });
      return '';
    });
    if (base64 === '') continue;
    upload.inputId = inputIdOf(upload.file.name, base64);
    if (ids.has(upload.inputId)) {
      Object.assign(upload, { state: 'already', why: 'The same picture as another of these files.' });
      continue;
    }
    ids.add(upload.inputId);
    const concepts = upload.concept ? { concepts: [{ ...upload.concept, value: 1 }] } : {};
    const data = { image: { base64 }, metadata: { filename: upload.file.name }, ...concepts };
    sendable.push({ upload, input: { id: upload.inputId, data } });
  }
  return sendable;
}

function settle(upload: Upload, input: Input | undefined, requestId: string): void {
  const status = input?.status;
  if (status?.code === code.duplicateId) {
    // The same file was sent before; how that went is read with the others.
    Object.assign(upload, { state: 'processing', isStored: true, wasHere: true });
    return;
  }
  const state = input ? stateOf(status) : 'failed';
  upload.isStored ||= state !== 'failed';
  if (state === 'failed') {
    const why = wordsOf(status) || 'The server did not answer for this file.';
    Object.assign(upload, { state: 'failed', why, requestId: status?.req_id ?? requestId });
  } else if (state === 'ready') upload.state = upload.wasHere ? 'already' : 'done';
  else upload.state = 'processing';
}

/** Follows a batch to its end; a server that is away for a moment is asked again. */
export async function followBatch(
  batch: readonly Upload[],
  jobId: string,
  changed: () => void,
): Promise<void> {
  let waitMs = batch.some(({ wasHere }) => wasHere) ? 0 : pollMs.first;
  let failures = 0;
  for (;;) {
    const open = batch.filter(({ state }) => state === 'processing');
    if (open.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    waitMs = Math.min(pollMs.most, Math.max(pollMs.first, waitMs * pollMs.growth));
    try {
      if (await hasProgress(open, jobId)) await readStates(open);
      failures = 0;
    } catch (thrown) {
      if (++failures > pollFailuresMax) throw thrown;
    }
    changed();
  }
}

/** Whether the add job has less left to do than is open here. Files that were here before have no part in it. */
async function hasProgress(open: readonly Upload[], jobId: string): Promise<boolean> {
  const own = open.filter(({ wasHere }) => !wasHere).length;
  if (own < open.length) return true;
  const { inputs_add_job: job } = await call<{ inputs_add_job?: { progress?: Record<string, number> } }>(
    'GET',
    `${open[0]?.path}/jobs/add/${jobId}`,
    undefined,
    { quiet: true, what: 'The progress of the upload could not be read.' },
  );
  const { pending_count: pending = 0, in_progress_count: running = 0 } = job?.progress ?? {};
  return Number(pending) + Number(running) < own;
}

async function readStates(open: readonly Upload[]): Promise<void> {
  const query = new URLSearchParams({ per_page: '128' });
  for (const { inputId } of open) query.append('ids', inputId);
  const { inputs = [] } = await call<{ inputs?: Input[] }>('GET', `${open[0]?.path}?${query}`, undefined, {
    quiet: true,
    what: 'The uploaded pictures could not be read.',
  });
  const byId = new Map(inputs.map((input) => [input.id, input]));
  for (const upload of open) {
    const input = byId.get(upload.inputId);
    // Deleted meanwhile, here or elsewhere: there is nothing left to wait for.
    if (input) settle(upload, input, '');
    else Object.assign(upload, { state: 'failed', why: 'It was deleted before it was processed.' });
  }
  window.dispatchEvent(new Event('inputs'));
}
