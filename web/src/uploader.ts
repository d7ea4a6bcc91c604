import { asTrouble, call, currentApp, inApp } from './api.ts';
import { conceptFor } from './concepts.ts';
import { base64Of, inputIdOf, isPicture, type Picked } from './files.ts';
import { tellTrouble } from './notices.ts';
import { code, type Input, stateOf, wordsOf } from './wire.ts';

export type UploadState = 'waiting' | 'sending' | 'processing' | 'done' | 'already' | 'failed';

export interface Upload {
  readonly file: File;
  readonly label: string;
  state: UploadState;
  why: string;
  requestId: string;
  inputId: string;
  /** The server holds it, in whatever state. */
  isStored: boolean;
  /** It was there before this upload. */
  wasHere: boolean;
}

const filesPerBatch = 24;
const batchBytesMax = 12_000_000;
const batchesAtOnce = 3;
/** The server's own limit for one picture. */
const fileBytesMax = 20_000_000;
const pollFailuresMax = 10;
const pollMs = { first: 400, most: 2500, growth: 1.3 };

/**
 * Sends pictures in batches, several at a time, and follows each until the server has processed it. One bad file
 * fails alone. `changed` is called after every step.
 */
export function openUploader(changed: () => void) {
  const uploads: Upload[] = [];
  let app = '';
  let running = 0;
  let stopped = false;

  function add(picked: readonly Picked[], withLabels: boolean): void {
    if (app !== currentApp() || isDone()) {
      uploads.length = 0;
      app = currentApp();
    }
    stopped = false;
    for (const { file, folder } of picked) {
      const trouble = refusal(file);
      const label = withLabels ? folder : '';
      uploads.push({
        file,
        label,
        state: trouble ? 'failed' : 'waiting',
        why: trouble,
        requestId: '',
        inputId: '',
        isStored: false,
        wasHere: false,
      });
    }
    changed();
    pump();
  }

  function pump(): void {
    while (running < batchesAtOnce && !stopped) {
      const batch = nextBatch(uploads);
      if (batch.length === 0) return;
      running++;
      void sendBatch(batch, changed).finally(() => {
        running--;
        changed();
        pump();
      });
    }
  }

  const isDone = () =>
    uploads.every(({ state }) => state === 'done' || state === 'already' || state === 'failed');

  return {
    uploads: uploads as readonly Upload[],
    add,
    isDone,
    canRetry: () => uploads.some(mayRetry),
    /** Sends again what failed, except what can never succeed. Failed inputs make room for their next try. */
    async retry(): Promise<void> {
      stopped = false;
      const again = uploads.filter(mayRetry);
      const stored = again.filter(({ isStored }) => isStored);
      for (const upload of again) Object.assign(upload, { state: 'sending', why: '', requestId: '' });
      changed();
      const ids = stored.map(({ inputId }) => inputId);
      for (let from = 0; from < ids.length; from += 100) {
        await call(
          'DELETE',
          inApp('inputs'),
          { ids: ids.slice(from, from + 100) },
          { what: 'The failed pictures could not be removed.' },
        ).catch(tellTrouble);
      }
      for (const upload of again)
        Object.assign(upload, { state: 'waiting', isStored: false, wasHere: false });
      changed();
      pump();
    },
    /** What is on its way arrives; the rest is not sent. */
    stop(): void {
      stopped = true;
      for (const upload of uploads) {
        if (upload.state === 'waiting')
          Object.assign(upload, { state: 'failed', why: 'Stopped before it was sent.' });
      }
      changed();
    },
    clear(): void {
      uploads.length = 0;
      changed();
    },
  };
}

export type Uploader = ReturnType<typeof openUploader>;

const mayRetry = ({ state, file }: Upload): boolean => state === 'failed' && refusal(file) === '';

/** Why a file is not even sent, or nothing. */
function refusal(file: File): string {
  if (!isPicture(file)) return 'Not a picture: JPEG, PNG, WebP, GIF, BMP and TIFF are taken.';
  if (file.size === 0) return 'The file is empty.';
  if (file.size > fileBytesMax)
    return `Larger than ${fileBytesMax / 1e6} MB, the most for one picture. Make it smaller.`;
  return '';
}

/** The next files to send together, marked as being sent. */
function nextBatch(uploads: readonly Upload[]): Upload[] {
  const batch: Upload[] = [];
  let bytes = 0;
  for (const upload of uploads) {
    if (upload.state !== 'waiting') continue;
    if (batch.length > 0 && (batch.length === filesPerBatch || bytes + upload.file.size > batchBytesMax))
      break;
    upload.state = 'sending';
    bytes += upload.file.size;
    batch.push(upload);
  }
  return batch;
}

async function sendBatch(batch: readonly Upload[], changed: () => void): Promise<void> {
  const jobId = crypto
    .getRandomValues(new Uint32Array(4))
    .reduce((id, part) => id + part.toString(16).padStart(8, '0'), '');
  const path = inApp('');
  changed();
  try {
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
        upload.state = 'already';
        upload.why = 'The same picture as another of these files.';
        continue;
      }
      ids.add(upload.inputId);
      const concepts = upload.label === '' ? {} : { concepts: [{ ...conceptFor(upload.label), value: 1 }] };
      const data = { image: { base64 }, metadata: { filename: upload.file.name }, ...concepts };
      sendable.push({ upload, input: { id: upload.inputId, data } });
    }
    if (sendable.length === 0) return;
    const reply = await call<{ status?: { req_id?: string }; inputs?: Input[] }>(
      'POST',
      `${path}inputs`,
      { inputs_add_job_id: jobId, inputs: sendable.map(({ input }) => input) },
      { what: 'The pictures could not be uploaded.', mixedIsFine: true },
    );
    sendable.forEach(({ upload }, i) => {
      const input = reply.inputs?.[i];
      settle(upload, input, reply.status?.req_id ?? '');
    });
    window.dispatchEvent(new Event('inputs'));
    changed();
    await follow(path, jobId, batch, changed);
  } catch (thrown) {
    const trouble = asTrouble(thrown, 'The pictures could not be uploaded.');
    for (const upload of batch) {
      if (upload.state !== 'sending' && upload.state !== 'processing') continue;
      Object.assign(upload, {
        state: 'failed',
        why: `${trouble.why} ${trouble.advice}`,
        requestId: trouble.requestId,
      });
    }
  }
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
async function follow(
  path: string,
  jobId: string,
  batch: readonly Upload[],
  changed: () => void,
): Promise<void> {
  for (let failures = 0; ; failures++) {
    try {
      return await followOnce(path, jobId, batch, changed);
    } catch (thrown) {
      if (failures >= pollFailuresMax) throw thrown;
      await new Promise((resolve) => setTimeout(resolve, pollMs.most));
    }
  }
}

/** Waits until the add job has less left to do than is open here, then reads how each file went. */
async function followOnce(
  path: string,
  jobId: string,
  batch: readonly Upload[],
  changed: () => void,
): Promise<void> {
  let waitMs: number = pollMs.first;
  for (;;) {
    const open = batch.filter(({ state }) => state === 'processing');
    if (open.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    waitMs = Math.min(pollMs.most, waitMs * pollMs.growth);
    const { inputs_add_job: job } = await call<{ inputs_add_job?: { progress?: Record<string, number> } }>(
      'GET',
      `${path}inputs/jobs/add/${jobId}`,
      undefined,
      { quiet: true, what: 'The progress of the upload could not be read.' },
    );
    const left =
      Number(job?.progress?.['pending_count'] ?? 0) + Number(job?.progress?.['in_progress_count'] ?? 0);
    if (left === open.filter(({ wasHere }) => !wasHere).length && left > 0) continue;
    const query = new URLSearchParams({ per_page: '128' });
    for (const { inputId } of open) query.append('ids', inputId);
    const { inputs = [] } = await call<{ inputs?: Input[] }>('GET', `${path}inputs?${query}`, undefined, {
      quiet: true,
      what: 'The uploaded pictures could not be read.',
    });
    const byId = new Map(inputs.map((input) => [input.id, input]));
    for (const upload of open) {
      const input = byId.get(upload.inputId);
      // Deleted meanwhile, here or elsewhere: there is nothing left to wait for.
      if (!input) Object.assign(upload, { state: 'failed', why: 'It was deleted before it was processed.' });
      else settle(upload, input, '');
    }
    window.dispatchEvent(new Event('inputs'));
    changed();
  }
}
