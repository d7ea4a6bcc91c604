import { rm } from 'node:fs/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { ArenaView } from './arena.ts';
import { exactSearch, markCandidates, type Ranked, scoreEach } from './exact-search.ts';
import { makeFolder, pathsFor } from './graph-files.ts';
import { GraphKeeper } from './graph-keeper.ts';
import type {
  EraseRequest,
  FromWorker,
  KeepRequest,
  ScoreRequest,
  SearchRequest,
  ToWorker,
  WorkerSettings,
} from './messages.ts';
import { planSearch } from './plan.ts';
import { eraseRows, writeRows } from './row-file.ts';
import { ScopeView } from './scope-view.ts';

/** The searching thread: scans shared memory, and keeps the graphs. Nothing here writes a vector. */
const port = parentPort;
if (port === null) throw new Error('vector-worker runs as a worker thread');

const reply = (message: FromWorker) => port.postMessage(message);
const arenas: ArenaView[] = [];
const scopes = new Map<number, ScopeView>();
const settings = workerData as WorkerSettings;
const graphs = new GraphKeeper(settings, reply);

function search(request: SearchRequest): void {
  const view = scopes.get(request.scope);
  if (view === undefined) throw new Error('the scope was dropped');
  const marked = request.candidates === undefined ? undefined : markCandidates(view, request.candidates);
  const graph = graphs.of(request.scope);
  const plan = planSearch({
    size: view.size,
    candidates: marked?.count,
    k: request.k,
    flatMax: settings.flatMax,
    graphShare:
      graph !== undefined && request.metric === 'cosine' && !request.exact ? graph.shareOf(view) : 0,
  });
  let ranked: Ranked | undefined;
  if (plan.way === 'nothing') ranked = { slots: new Int32Array(0), scores: new Float64Array(0) };
  // A graph that gave too few is not an error: the exact answer is always there.
  if (plan.way === 'graph') ranked = graph?.search(view, request, plan.fetch, marked?.filter);
  const way = ranked === undefined ? 'exact' : plan.way;
  ranked ??= exactSearch(view, request, marked?.filter);
  reply({ kind: 'found', number: request.number, way, ...ranked });
}

function score(request: ScoreRequest): void {
  const view = scopes.get(request.scope);
  if (view === undefined) throw new Error('the scope was dropped');
  const scores = scoreEach(view, request.query, request.candidates, request.metric);
  reply({ kind: 'scored', number: request.number, scores });
}

async function erase({ name, keys, number }: EraseRequest): Promise<void> {
  await eraseRows(pathsFor(settings.dir, name).vectors, new Set(keys));
  reply({ kind: 'erased', number });
}

/** One after the other: what is erased is erased from the file that is being written, too. */
let filing: Promise<void> = Promise.resolve();
function inFile(work: () => Promise<void>): Promise<void> {
  const done = filing.then(work);
  filing = done.catch(() => undefined);
  return done;
}

async function keep({ scope, number, label }: KeepRequest): Promise<void> {
  const name = graphs.nameOf(scope);
  if (name === undefined) throw new Error('the scope was dropped');
  const { vectors } = pathsFor(settings.dir, name);
  await makeFolder(settings.dir);
  await writeRows(vectors, label, () => scopes.get(scope) as ScopeView);
  // Dropped meanwhile: its files are not wanted any more.
  if (!scopes.has(scope)) await rm(vectors, { force: true });
  reply({ kind: 'kept', number });
}

async function handle(message: ToWorker): Promise<void> {
  switch (message.kind) {
    case 'arena':
      arenas[message.index] = new ArenaView(message.arena.memory, message.arena.workerScratchAt);
      return;
    case 'scope': {
      const view = new ScopeView(message.shared, arenas);
      scopes.set(message.scope, view);
      graphs.know(message.scope, message.name, view);
      return;
    }
    case 'dropped':
      scopes.delete(message.scope);
      await graphs.drop(message.scope, message.name);
      await rm(pathsFor(settings.dir, message.name).vectors, { force: true });
      return;
    case 'settled':
      await graphs.settle(message.scope);
      return;
    case 'search':
      return search(message);
    case 'score':
      return score(message);
    case 'keep':
      return inFile(() => keep(message));
    case 'erase':
      return inFile(() => erase(message));
    case 'close':
      await graphs.close();
      reply({ kind: 'closed' });
      port?.close();
  }
}

port.on('message', (message: ToWorker) => {
  handle(message).catch((error: unknown) => {
    const words = error instanceof Error ? error.message : String(error);
    if ('number' in message) reply({ kind: 'failed', number: message.number, message: words });
    else
      reply({
        kind: 'log',
        level: 'warn',
        facts: { step: message.kind, error: words },
        message: 'vector worker step failed',
      });
  });
});
