import { create } from '@bufbuild/protobuf';
import { type Data, DataSchema } from '@fovea/contract';
import { mayDie } from '#domain/failpoints.ts';
import type { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import { newId } from '#domain/ids.ts';
import type { Tx } from '#store/postgres/index.ts';
import { addInputs, type InputKind, shiftCounts, storedDraft, type Wanted } from '../inputs/index.ts';
import type { ExtractionDeps } from './deps.ts';
import { folderKey, folderOfPath, idOfPath, isOver } from './extraction.ts';
import { scratchPrefix } from './jobs.ts';
import type { KeptFile } from './keep-file.ts';
import {
  addFaults,
  addProgress,
  type FileFault,
  insertArchives,
  type JobRow,
  lockJob,
  type NewArchive,
} from './store.ts';
import type { Template } from './template.ts';

/** What a run of a job works with. */
export interface Run {
  readonly deps: ExtractionDeps;
  readonly grant: AppGrant;
  readonly job: JobRow;
  readonly addJobId: string;
  readonly template: Template;
  readonly signal: AbortSignal;
}

/** The most inputs, and files without, that are committed together. */
const inputsMax = 128;
const faultsMax = 256;

/** What came out since the last commit. Bytes are in the object store; here are names only. */
export class Batch {
  readonly wanted: (Wanted & { name: string })[] = [];
  readonly faults: FileFault[] = [];
  readonly archives: NewArchive[] = [];
  readonly #stored: Promise<void>[] = [];
  readonly #ids = new Set<string>();
  /** Of archives. */
  entries = 0;
  bytesOut = 0;

  get isFull(): boolean {
    return this.wanted.length >= inputsMax || this.faults.length >= faultsMax || this.archives.length > 0;
  }

  /** Whether a file of this name would share its id with another of this batch: then commit first. */
  holdsIdOf(path: string): boolean {
    return this.#ids.has(idOfPath(path));
  }

  add(template: Template, path: string, name: string, depth: number, file: KeptFile): void {
    if ('archive' in file) {
      this.archives.push({ name, depth, object: file.archive });
      return;
    }
    const id = idOfPath(path) || newId();
    this.#ids.add(id);
    this.#stored.push(file.stored);
    const draft = storedDraft({ id, kind: file.kind, ...template, label: labelFor(template, path) });
    this.wanted.push({ position: this.wanted.length, draft, sha: file.sha, sizeBytes: file.sizeBytes, name });
  }

  fault(name: string, details: string): void {
    this.faults.push({ name, details });
  }

  async settled(): Promise<void> {
    await Promise.all(this.#stored);
  }
}

/** What every input of the job gets, and its folder; metadata of the template stay as they are. */
function labelFor({ label }: Template, path: string): Data {
  const folder = folderOfPath(path);
  if (folder === '' || (label.metadata && folderKey in label.metadata)) return label;
  return create(DataSchema, {
    ...label,
    metadata: { ...label.metadata, [folderKey]: folder },
  } as never) as Data;
}

/**
 * Commits a batch with the move that says it is done, so that no file is added twice or left out.
 *
 * @param move moves the cursor on, and tells whether it stood where it was expected
 * @returns false when the job is over, or another worker has it: stop
 */
export async function commit(run: Run, batch: Batch, move: (tx: Tx) => Promise<boolean>): Promise<boolean> {
  const { deps, grant, job } = run;
  await batch.settled();
  mayDie('extraction-kept');
  const isGood = await deps.db.transaction(async (tx) => {
    const locked = await lockJob(tx, grant, job.key);
    if (!locked || isOver(locked.statusCode) || !(await move(tx))) return false;
    const refused = new Map<number, Fault>();
    const kinds: Record<InputKind, number> = { image: 0, video: 0, audio: 0, text: 0 };
    if (batch.wanted.length > 0) {
      const options = {
        addJobId: run.addJobId,
        conflictResolution: job.conflictResolution,
        workerUserKey: job.workerUserKey,
        priority: -5,
      };
      const { accepted } = await addInputs(deps, tx, grant, options, batch.wanted, refused);
      for (const { row } of accepted) kinds[row.kind] += 1;
    }
    mayDie('extraction-added');
    const faults = [
      ...batch.faults,
      ...[...refused].map(([at, { details }]) => ({ name: batch.wanted[at]?.name ?? '', details })),
    ];
    await addFaults(tx, grant, job.key, faults);
    if (faults.length > 0) {
      const none = { pending: 0, inProgress: 0, success: 0 };
      await shiftCounts(tx, grant, [{ addJobKey: job.addJobKey, ...none, failed: faults.length }]);
    }
    await insertArchives(tx, grant, job.key, batch.archives);
    await addProgress(tx, grant, job.key, { kinds, entries: batch.entries, bytesOut: batch.bytesOut });
    mayDie('extraction-counted');
    return true;
  });
  mayDie('extraction-committed');
  if (!isGood)
    for (const { object } of batch.archives) if (object) await deps.objects.delete(scratchPrefix + object);
  return isGood;
}
