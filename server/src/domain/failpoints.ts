/**
 * Places where a check can be left out or a fault provoked on purpose, so that the harnesses of `bench/` can show
 * that they would notice. None is armed unless the configuration names it; an unarmed one costs a look into an
 * empty set.
 */
export const failpointNames = [
  /** Whoever signed in first is taken to be calling each time, with the grants of that call: a bench of what sign-in costs. */
  'skip-sign-in',
  /** Anyone may reach any app as a collaborator with all scopes. */
  'skip-tenant-check',
  /** A key does whatever it asks for. */
  'skip-scope-check',
  /** Texts may hold NUL characters, which the database cannot store. */
  'skip-text-check',
  /** A transaction is acknowledged when its work is done, and committed a little later. */
  'answer-before-commit',
  /** A worker that comes back late believes that its jobs are still its own. */
  'finish-without-fence',
  /** A thread that trains ends in the middle, says nothing any more, or takes all the memory it can get. */
  'training-crashes',
  'training-hangs',
  'training-eats-memory',
] as const;

export type FailpointName = (typeof failpointNames)[number];

/** Places where the process can be made to die as by `kill -9`, in the order in which work passes them. */
export const deathPoints = [
  // The first start
  'cluster-drafted',
  'settings-written',
  'migration-applied',
  'first-user-due',
  'master-key-due',
  'builtins-due',
  'port-open',
  // An object of the store
  'object-written',
  'object-synced',
  'object-renamed',
  'object-deleted',
  // Any transaction
  'commit-due',
  'commit-done',
  // Any job
  'jobs-enqueued',
  'jobs-claimed',
  'jobs-worked',
  'jobs-finished',
  'jobs-given-back',
  'jobs-seized',
  // An upload
  'upload-kept',
  'upload-stored',
  'upload-queued',
  'inputs-begun',
  'inputs-digested',
  'inputs-renditions-kept',
  'inputs-settled',
  // A model that is brought or taken away
  'model-upload-begun',
  'model-part-kept',
  'model-part-counted',
  'model-build-begun',
  'model-package-due',
  'model-package-kept',
  'model-build-ended',
  'model-export-begun',
  'model-export-stored',
  'model-export-ended',
  // An upload in parts
  'part-kept',
  'part-counted',
  'uploads-expired',
  // A bulk operation
  'bulk-searched',
  'bulk-prepared',
  'bulk-applied',
  'bulk-batch-done',
  // Archives and sources
  'extraction-queued',
  'extraction-listed',
  'extraction-begun',
  'extraction-kept',
  'extraction-added',
  'extraction-counted',
  'extraction-committed',
  // A collector
  'collector-kept',
  'collector-chosen',
  'collector-posted',
  'collector-annotated',
  // Changes of inputs
  'cancel-marked',
  'cancel-half',
  'patch-half',
  'delete-counted',
  'delete-versions',
  'delete-done',
  'media-unused',
  'media-freed',
  // Labels
  'annotations-stored',
  'statuses-half',
  // Datasets
  'snapshot-copied',
  'snapshot-counted',
  'chunks-freed',
  'versions-erased',
  'export-begun',
  'export-stored',
  'export-done',
  'work-done',
  'work-step',
  // Training
  'training-begun',
  'training-fitted',
  'training-part-due',
  'training-head-kept',
  'training-ended',
  // Evaluations
  'evaluation-gathered',
  'evaluation-predicted',
  'evaluation-measured',
  'evaluation-ended',
  // Copies of apps
  'duplication-copied',
  'duplication-step',
  // The end of an app
  'purge-inputs',
  'purge-app',
  // A model that follows a track
  'track-followed',
  // A reindexing
  'reindex-taken',
  'reindex-counted',
] as const;

export type DeathPoint = (typeof deathPoints)[number];

const known: ReadonlySet<string> = new Set([...failpointNames, ...deathPoints]);

/** True for a name that can be armed; a death point may say at which passage, from 1: `commit-done@12`. */
export function isFailpoint(word: string): boolean {
  const [name = '', passage, ...rest] = word.split('@');
  if (!known.has(name) || rest.length > 0) return false;
  return (
    passage === undefined ||
    ((deathPoints as readonly string[]).includes(name) && /^[1-9][0-9]{0,8}$/.test(passage))
  );
}

let armed: ReadonlySet<string> = new Set();
let passagesLeft: Map<string, number> = new Map();

/** Arms exactly these; called once at the start. */
export function armFailpoints(words: readonly string[]): void {
  const pairs = words.map((word) => word.split('@') as [string, string?]);
  armed = new Set(pairs.map(([name]) => name));
  passagesLeft = new Map(pairs.map(([name, passage]) => [name, Number(passage ?? 1)]));
}

export const isArmed = (name: FailpointName): boolean => armed.has(name);

/** Ends the process here and now where this point is armed and its passage has come. */
export function mayDie(point: DeathPoint): void {
  if (armed.size === 0 || !armed.has(point)) return;
  const left = (passagesLeft.get(point) ?? 1) - 1;
  passagesLeft.set(point, left);
  if (left !== 0) return;
  process.stderr.write(`failpoint ${point}\n`);
  process.kill(process.pid, 'SIGKILL');
}
