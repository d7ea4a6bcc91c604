import { asTrouble, call, inApp } from './api.ts';
import { conceptFor } from './concepts.ts';
import { isPicture, type Picked } from './files.ts';
import { tellTrouble } from './notices.ts';
import { followBatch, sendBatch, type Upload } from './upload-batch.ts';

const filesPerBatch = 24;
const batchBytesMax = 12_000_000;
const batchesSentAtOnce = 3;
/** Batches under way in all; more would only wait on the server. */
const batchesMax = 8;
const deletedAtOnce = 100;
/** The server's own limit for one picture. */
const fileBytesMax = 20_000_000;

/**
 * Sends pictures in batches, several at a time, and follows each until the server has processed it. One bad file
 * fails alone. `changed` is called after every step.
 */
export function openUploader(changed: () => void) {
  const uploads: Upload[] = [];
  let sending = 0;
  let following = 0;
  let isStopped = false;

  function add(picked: readonly Picked[], withLabels: boolean): void {
    if (isDone()) uploads.length = 0;
    const path = inApp('inputs');
    for (const { file, folder } of picked) {
      const why = refusal(file);
      uploads.push({
        file,
        path,
        concept: withLabels && folder !== '' ? conceptFor(folder) : undefined,
        state: why ? 'failed' : 'waiting',
        why,
        requestId: '',
        inputId: '',
        isStored: false,
        wasHere: false,
      });
    }
    isStopped = false;
    changed();
    pump();
  }

  function pump(): void {
    while (!isStopped && sending < batchesSentAtOnce && sending + following < batchesMax) {
      const batch = nextBatch(uploads);
      if (batch.length === 0) return;
      void runBatch(batch);
    }
  }

  async function runBatch(batch: readonly Upload[]): Promise<void> {
    const jobId = newJobId();
    sending++;
    changed();
    await sendBatch(batch, jobId).catch((thrown: unknown) => fail(batch, thrown));
    sending--;
    following++;
    changed();
    pump();
    await followBatch(batch, jobId, changed).catch((thrown: unknown) => fail(batch, thrown));
    following--;
    changed();
    pump();
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
      const again = uploads.filter(mayRetry);
      for (const upload of again) Object.assign(upload, { state: 'sending', why: '', requestId: '' });
      changed();
      await removeStored(again.filter(({ isStored }) => isStored));
      for (const upload of again) {
        Object.assign(upload, { state: 'waiting', isStored: false, wasHere: false });
      }
      isStopped = false;
      changed();
      pump();
    },
    /** What is on its way arrives; the rest is not sent. */
    stop(): void {
      isStopped = true;
      for (const upload of uploads) {
        if (upload.state === 'waiting') {
          Object.assign(upload, { state: 'failed', why: 'Stopped before it was sent.' });
        }
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
  if (file.size > fileBytesMax) {
    return `Larger than ${fileBytesMax / 1e6} MB, the most for one picture. Make it smaller.`;
  }
  return '';
}

/** The next files of one app to send together, marked as being sent. */
function nextBatch(uploads: readonly Upload[]): Upload[] {
  const batch: Upload[] = [];
  let bytes = 0;
  for (const upload of uploads) {
    if (upload.state !== 'waiting' || upload.path !== (batch[0] ?? upload).path) continue;
    if (batch.length > 0 && (batch.length === filesPerBatch || bytes + upload.file.size > batchBytesMax))
      break;
    upload.state = 'sending';
    bytes += upload.file.size;
    batch.push(upload);
  }
  return batch;
}

function newJobId(): string {
  const parts = [...crypto.getRandomValues(new Uint32Array(4))];
  return parts.map((part) => part.toString(16).padStart(8, '0')).join('');
}

function fail(batch: readonly Upload[], thrown: unknown): void {
  const { why, advice, requestId } = asTrouble(thrown);
  for (const upload of batch) {
    if (upload.state !== 'sending' && upload.state !== 'processing') continue;
    Object.assign(upload, { state: 'failed', why: `${why} ${advice}`, requestId });
  }
}

async function removeStored(uploads: readonly Upload[]): Promise<void> {
  const what = 'The failed pictures could not be removed.';
  for (const [path, some] of Map.groupBy(uploads, (upload) => upload.path)) {
    for (let from = 0; from < some.length; from += deletedAtOnce) {
      const ids = some.slice(from, from + deletedAtOnce).map(({ inputId }) => inputId);
      await call('DELETE', path, { ids }, { what }).catch(tellTrouble);
    }
  }
}
