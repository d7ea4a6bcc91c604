import type { Input } from '@fovea/contract/rest';
import { rpc } from '../api/client.ts';
import { stateOf } from '../api/media.ts';
import { type AppName, refresh } from '../api/queries.ts';
import { onServerState } from '../api/server-state.ts';
import { asTrouble, code, Trouble, wordsOf } from '../api/trouble.ts';
import { base64Of, inputIdOf, type Picked, type UploadKind, uploadKindOf } from './files.ts';
import { sendContent, tarOf, uploadIdOf } from './parts.ts';

export type UploadState = 'waiting' | 'sending' | 'processing' | 'done' | 'already' | 'failed';

/** One file on its way. `why` is the server's words or, where `whyIsKey`, the key of a message. */
export interface Upload {
  readonly file: File;
  readonly app: AppName;
  readonly kind: UploadKind | undefined;
  readonly concept: string | undefined;
  state: UploadState;
  why: string;
  whyIsKey: boolean;
  requestId: string;
  inputId: string;
  /** The server holds it, in whatever state. */
  isStored: boolean;
  /** It was there before this upload. */
  wasHere: boolean;
  /** Bytes of a large file that the server has. */
  bytesThere: number;
}

const filesPerBatch = 24;
const batchBytesMax = 12_000_000;
const batchesAtOnce = 3;
/** Batches under way in all; more would only wait on the server. */
const batchesMax = 8;
/** What goes in one request, in bytes; larger files go in parts, which a lost connection does not undo. */
const fileBytesMax: Readonly<Record<UploadKind, number>> = {
  image: 20_000_000,
  video: 30_000_000,
  audio: 20_000_000,
  text: 20_000_000,
};
const pollMs = { first: 400, most: 2500, growth: 1.3 };

/**
 * Sends files in batches, several at a time, and follows each until the server has processed it. One bad file fails
 * alone; while the server is away everything waits, and goes on by itself when it is back.
 */
class Uploader {
  uploads: readonly Upload[] = [];
  #listeners = new Set<() => void>();
  #sending = 0;
  #following = 0;
  #isPaused = false;
  #startedMs = 0;
  #bytesSent = 0;

  constructor() {
    onServerState((isLost) => {
      if (!isLost) this.#pump();
    });
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
  readonly snapshot = (): readonly Upload[] => this.uploads;

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Bytes per second since the first of these files. */
  get speed(): number {
    return this.#bytesSent / Math.max(0.5, (performance.now() - this.#startedMs) / 1000);
  }

  #changed(): void {
    this.uploads = [...this.uploads];
    for (const listener of this.#listeners) listener();
  }

  get isDone(): boolean {
    return this.uploads.every(({ state }) => ['done', 'already', 'failed'].includes(state));
  }

  add(app: AppName, picked: readonly Picked[], options: { labelByFolder: boolean }): void {
    const kept = this.isDone ? [] : this.uploads;
    if (kept.length === 0) {
      this.#startedMs = performance.now();
      this.#bytesSent = 0;
    }
    const added = picked.map(({ file, folder }): Upload => {
      const kind = uploadKindOf(file);
      const why = refusalOf(file, kind);
      return {
        file,
        app,
        kind,
        concept: options.labelByFolder && folder !== '' ? folder : undefined,
        state: why ? 'failed' : 'waiting',
        why,
        whyIsKey: why !== '',
        requestId: '',
        inputId: '',
        isStored: false,
        wasHere: false,
        bytesThere: 0,
      };
    });
    this.uploads = [...kept, ...added];
    this.#isPaused = false;
    this.#changed();
    this.#pump();
  }

  setPaused(paused: boolean): void {
    this.#isPaused = paused;
    this.#changed();
    this.#pump();
  }

  clear(): void {
    this.uploads = this.uploads.filter(({ state }) => state === 'sending' || state === 'processing');
    this.#changed();
  }

  canRetry = (): boolean => this.uploads.some(mayRetry);

  /** Sends again what failed, except what can never succeed. Failed inputs make room for their next try. */
  async retry(): Promise<void> {
    const again = this.uploads.filter(mayRetry);
    for (const upload of again) Object.assign(upload, { state: 'sending', why: '', requestId: '' });
    this.#changed();
    const stored = again.filter(({ isStored }) => isStored);
    for (const [app, some] of Map.groupBy(stored, (upload) => upload.app))
      await rpc(
        'DeleteInputs',
        { user_app_id: app, ids: some.map(({ inputId }) => inputId) },
        { quiet: true },
      ).catch(() => undefined);
    for (const upload of again) Object.assign(upload, { state: 'waiting', isStored: false, wasHere: false });
    this.#isPaused = false;
    this.#changed();
    this.#pump();
  }

  #pump(): void {
    while (!this.#isPaused && this.#sending < batchesAtOnce && this.#sending + this.#following < batchesMax) {
      const batch = this.#nextBatch();
      if (batch.length === 0) return;
      void this.#run(batch);
    }
  }

  #nextBatch(): Upload[] {
    const batch: Upload[] = [];
    let bytes = 0;
    for (const upload of this.uploads) {
      const isNext = upload.state === 'waiting' && upload.app === (batch[0] ?? upload).app;
      if (!isNext) continue;
      const isFull = batch.length === filesPerBatch || bytes + upload.file.size > batchBytesMax;
      const goesAlone = (one: Upload) => one.kind === 'video' || isLarge(one);
      if (batch.length > 0 && (isFull || batch.some(goesAlone) || goesAlone(upload))) break;
      upload.state = 'sending';
      bytes += upload.file.size;
      batch.push(upload);
    }
    return batch;
  }

  async #run(batch: readonly Upload[]): Promise<void> {
    const jobId = crypto.randomUUID();
    this.#sending++;
    this.#changed();
    const [first] = batch;
    const sent = first && isLarge(first) ? this.#sendLarge(first) : this.#send(batch, jobId);
    await sent.catch((thrown: unknown) => this.#fail(batch, thrown));
    this.#sending--;
    this.#following++;
    this.#changed();
    this.#pump();
    await this.#follow(batch).catch((thrown: unknown) => this.#fail(batch, thrown));
    this.#following--;
    this.#changed();
    this.#pump();
  }

  async #send(batch: readonly Upload[], jobId: string): Promise<void> {
    const sendable = await readAll(batch);
    const [first] = sendable;
    if (!first) return;
    const reply = await rpc(
      'PostInputs',
      { user_app_id: first.upload.app, inputs_add_job_id: jobId, inputs: sendable.map(({ input }) => input) },
      { mixedIsFine: true },
    );
    for (const [i, { upload }] of sendable.entries()) {
      settle(upload, reply.inputs?.[i], reply.status?.req_id ?? '');
      this.#bytesSent += upload.file.size;
    }
    void refresh('GetInputCount', 'GetResourceCounts', 'ListConcepts', 'GetConceptCounts');
    window.dispatchEvent(new Event('fovea:inputs'));
  }

  /** In parts, inside an archive of this one file, out of which the server makes the input. */
  async #sendLarge(upload: Upload): Promise<void> {
    const { file, app, kind, concept } = upload;
    const uploadId = uploadIdOf(file);
    const ending = /\.\w{2,5}$/.exec(file.name)?.[0].toLowerCase() ?? '';
    upload.inputId = `${conceptIdOf(file.name.replace(/\.\w+$/, '').replaceAll(/[^\w-]+/g, '-')).slice(0, 24)}-${uploadId.slice(-8)}${ending}`;
    const known = await rpc(
      'ListInputs',
      { user_app_id: app, ids: [upload.inputId], per_page: 1 },
      { quiet: true },
    ).catch(() => ({ inputs: [] }));
    if (known.inputs?.[0]) {
      upload.wasHere = true;
      settle(upload, known.inputs[0], '');
      return;
    }
    let before = 0;
    // One job for all tries of this file, so that a reload finds it again.
    const uploadJobId = `job-${uploadId}`;
    const input_template = {
      data: {
        metadata: { filename: file.name },
        ...(concept ? { concepts: [{ id: conceptIdOf(concept), name: concept, value: 1 }] } : {}),
      },
    };
    const archive = tarOf(upload.inputId, file);
    const progress = (bytes: number) => {
      this.#bytesSent += bytes - before;
      before = bytes;
      upload.bytesThere = Math.min(bytes, file.size);
      this.#changed();
    };
    await sendContent(app, uploadId, `${file.name}.tar`, archive, progress, {
      post: (user_app_id, upload) =>
        rpc('PostInputsUploads', {
          user_app_id,
          inputs_uploads: [{ inputs_add_job_id: uploadJobId, upload, input_template }],
        }),
    });
    await this.#extracted(upload, uploadJobId, kind);
  }

  /** Waits until the input is there, or the server says why not. */
  async #extracted(upload: Upload, jobId: string, kind: UploadKind | undefined): Promise<void> {
    for (let waitMs = pollMs.first; ; waitMs = Math.min(pollMs.most, waitMs * pollMs.growth)) {
      const [found, { inputs_add_job: job }] = await Promise.all([
        rpc('ListInputs', { user_app_id: upload.app, ids: [upload.inputId], per_page: 1 }, { quiet: true }),
        rpc('GetInputsAddJob', { user_app_id: upload.app, id: jobId }, { quiet: true }),
      ]);
      const [input] = found.inputs ?? [];
      if (input) {
        upload.isStored = true;
        settle(upload, input, '');
        window.dispatchEvent(new Event('fovea:inputs'));
        return;
      }
      if (Number(job?.progress?.failed_count ?? 0) > 0) {
        const why = wordsOf(job?.status) || `upload.notMedia`;
        Object.assign(upload, { state: 'failed', why, whyIsKey: wordsOf(job?.status) === '' || !kind });
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }

  async #follow(batch: readonly Upload[]): Promise<void> {
    let waitMs = batch.some(({ wasHere }) => wasHere) ? 0 : pollMs.first;
    for (;;) {
      const open = batch.filter(({ state }) => state === 'processing');
      const [first] = open;
      if (!first) return;
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      waitMs = Math.min(pollMs.most, Math.max(pollMs.first, waitMs * pollMs.growth));
      const ids = open.map(({ inputId }) => inputId);
      const { inputs = [] } = await rpc(
        'ListInputs',
        { user_app_id: first.app, ids, per_page: 128 },
        { quiet: true },
      ).catch((thrown: unknown) => {
        // Away for a moment: asked again at the next turn.
        if (thrown instanceof Trouble && thrown.isKey) return { inputs: undefined };
        throw thrown;
      });
      if (inputs.length === 0 && open.length > 0) continue;
      const byId = new Map(inputs.map((input) => [input.id, input]));
      const before = open.filter(({ state }) => state === 'processing').length;
      for (const upload of open) {
        const input = byId.get(upload.inputId);
        if (input) settle(upload, input, '');
        else Object.assign(upload, { state: 'failed', why: 'upload.deletedMeanwhile', whyIsKey: true });
      }
      if (open.some(({ state }) => state !== 'processing') || before !== open.length)
        window.dispatchEvent(new Event('fovea:inputs'));
      this.#changed();
    }
  }

  #fail(batch: readonly Upload[], thrown: unknown): void {
    const trouble = asTrouble(thrown);
    for (const upload of batch) {
      if (upload.state !== 'sending' && upload.state !== 'processing') continue;
      // The server is away: these go again when it is back, under the same ids.
      if (trouble.isKey && trouble.message === 'trouble.unreachable') upload.state = 'waiting';
      else
        Object.assign(upload, {
          state: 'failed',
          why: trouble.message,
          whyIsKey: trouble.isKey,
          requestId: trouble.requestId,
        });
    }
  }
}

export const uploader = new Uploader();

const mayRetry = ({ state, file, kind }: Upload): boolean =>
  state === 'failed' && refusalOf(file, kind) === '';

/** Why a file is not even sent: the key of a message, or nothing. */
function refusalOf(file: File, kind: UploadKind | undefined): string {
  if (!kind) return 'upload.notMedia';
  if (file.size === 0) return 'upload.emptyFile';
  return '';
}

/** What no request can hold goes in parts. */
const isLarge = ({ file, kind }: Upload): boolean => kind !== undefined && file.size > fileBytesMax[kind];

async function readAll(batch: readonly Upload[]): Promise<{ upload: Upload; input: Input }[]> {
  const sendable: { upload: Upload; input: Input }[] = [];
  const ids = new Set<string>();
  for (const upload of batch) {
    const base64 = await base64Of(upload.file).catch(() => {
      Object.assign(upload, { state: 'failed', why: 'upload.unreadable', whyIsKey: true });
      return '';
    });
    if (base64 === '') continue;
    upload.inputId = inputIdOf(upload.file.name, base64);
    if (ids.has(upload.inputId)) {
      Object.assign(upload, { state: 'already', why: 'upload.twin', whyIsKey: true });
      continue;
    }
    ids.add(upload.inputId);
    const concept = upload.concept;
    const data = {
      [upload.kind ?? 'image']: upload.kind === 'text' ? { raw: await upload.file.text() } : { base64 },
      metadata: { filename: upload.file.name },
      ...(concept ? { concepts: [{ id: conceptIdOf(concept), name: concept, value: 1 }] } : {}),
    };
    sendable.push({ upload, input: { id: upload.inputId, data } });
  }
  return sendable;
}

/** A concept's id from its name, in the letters of ids. */
export const conceptIdOf = (name: string): string =>
  name
    .trim()
    .replaceAll(/[^\p{L}\p{N}_-]+/gu, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 48) || 'concept';

function settle(upload: Upload, input: Input | undefined, requestId: string): void {
  const status = input?.status;
  if (status?.code === code.duplicateId || /duplicate id/i.test(status?.details ?? '')) {
    // The same file was sent before; how that went is read with the others.
    Object.assign(upload, { state: 'processing', isStored: true, wasHere: true });
    return;
  }
  const state = input ? stateOf(status) : 'failed';
  upload.isStored ||= state !== 'failed';
  if (state === 'failed') {
    Object.assign(upload, {
      state: 'failed',
      why: wordsOf(status) || 'upload.noAnswer',
      whyIsKey: wordsOf(status) === '',
      requestId: status?.req_id ?? requestId,
    });
  } else if (state === 'ready') upload.state = upload.wasHere ? 'already' : 'done';
  else upload.state = 'processing';
}
