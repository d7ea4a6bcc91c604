import { Graph, type GraphRows, sharedGraph } from './graph.ts';
import { GraphClient } from './graph-client.ts';
import {
  type GraphContents,
  makeFolder,
  matchRows,
  pathsFor,
  printOf,
  readContents,
  readGraph,
  removeFiles,
  writeContents,
} from './graph-files.ts';
import type { FromWorker, GraphState, WorkerSettings } from './messages.ts';
import { graphShareMin } from './plan.ts';
import type { ScopeView } from './scope-view.ts';

/** A graph that knows less than this share of its scope is built anew while the old one still serves. */
const rebuildBelow = 0.85;
/** Rows sent to the builder at once; a few hundred milliseconds of work. */
const rowsPerMessage = 128;
/** A scope whose graph failed so often is scanned from then on. */
const failuresMax = 3;

interface Kept {
  name: string;
  view: ScopeView;
  graph?: Graph | undefined;
  busy: boolean;
  failures: number;
}

/** Keeps the graphs, and the process that builds one, one at a time. */
export class GraphKeeper {
  readonly #settings: WorkerSettings;
  readonly #report: (message: FromWorker) => void;
  readonly #kept = new Map<number, Kept>();
  #builder: GraphClient | undefined;
  #lastBuild: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(settings: WorkerSettings, report: (message: FromWorker) => void) {
    this.#settings = settings;
    this.#report = report;
  }

  know(scope: number, name: string, view: ScopeView): void {
    const kept = this.#kept.get(scope);
    if (kept === undefined) this.#kept.set(scope, { name, view, busy: false, failures: 0 });
    else kept.view = view;
  }

  nameOf(scope: number): string | undefined {
    return this.#kept.get(scope)?.name;
  }

  of(scope: number): Graph | undefined {
    return this.#kept.get(scope)?.graph;
  }

  /** Loads the graph a scope has on disk, or builds it one, when the scope is large and its graph lags behind. */
  async settle(scope: number): Promise<void> {
    const kept = this.#kept.get(scope);
    if (kept === undefined || kept.busy || this.#closed || kept.view.size <= this.#settings.flatMax) return;
    if (kept.graph !== undefined && kept.graph.shareOf(kept.view) >= rebuildBelow) return;
    if (kept.failures >= failuresMax) return;
    kept.busy = true;
    try {
      if (kept.graph !== undefined || !(await this.#load(scope, kept))) await this.#queueBuild(scope, kept);
    } catch (error) {
      kept.failures += 1;
      this.#state(scope, kept.graph === undefined ? 'failed' : 'ready');
      this.#warn(kept.name, error, 'graph could not be made; searches scan instead');
    } finally {
      kept.busy = false;
    }
  }

  async drop(scope: number, name: string): Promise<void> {
    this.#kept.delete(scope);
    await removeFiles(pathsFor(this.#settings.dir, name));
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#kept.clear();
    await this.#builder?.end();
  }

  async #load(scope: number, kept: Kept): Promise<boolean> {
    const paths = pathsFor(this.#settings.dir, kept.name);
    const contents = await readContents(paths, kept.view.dims);
    if (contents === undefined) return false;
    const rows = matchRows(kept.view, contents);
    const matched = rows.slots.reduce((sum, slot) => sum + (slot >= 0 ? 1 : 0), 0);
    if (matched < kept.view.size * graphShareMin || matched < contents.keys.length * graphShareMin)
      return false;
    this.#state(scope, 'loading');
    try {
      await this.#open(scope, kept, rows, contents.graphSha256);
      return true;
    } catch (error) {
      this.#warn(kept.name, error, 'graph file is of no use; building anew');
      await removeFiles(paths);
      return false;
    }
  }

  #queueBuild(scope: number, kept: Kept): Promise<void> {
    const build = this.#lastBuild.then(() => this.#build(scope, kept));
    this.#lastBuild = build.catch(() => undefined);
    return build;
  }

  async #build(scope: number, kept: Kept): Promise<void> {
    if (this.#closed || !this.#kept.has(scope)) return;
    if (kept.graph === undefined) this.#state(scope, 'building');
    const started = performance.now();
    const paths = pathsFor(this.#settings.dir, kept.name);
    await makeFolder(this.#settings.dir);
    const builder = new GraphClient(this.#settings.graphEntry);
    this.#builder = builder;
    try {
      const { rows, contents } = await this.#sendRows(builder, kept);
      const saved = await builder.ask({ kind: 'save', file: paths.graph });
      await writeContents(paths, kept.view.dims, saved.sha256 ?? '', contents);
      if (!this.#kept.has(scope)) return await removeFiles(paths);
      await this.#open(scope, kept, rows, saved.sha256 ?? '');
      const facts = {
        scope: kept.name,
        vectors: contents.keys.length,
        tookMs: Math.round(performance.now() - started),
      };
      this.#report({ kind: 'log', level: 'info', facts, message: 'vector graph built' });
    } finally {
      this.#builder = undefined;
      await builder.end();
    }
  }

  async #sendRows(builder: GraphClient, kept: Kept): Promise<{ rows: GraphRows; contents: GraphContents }> {
    const { dims } = kept.view;
    await builder.ask({ kind: 'begin', dims });
    const slots: number[] = [];
    const keys: number[] = [];
    const prints: number[] = [];
    const births: number[] = [];
    let next = 0;
    for (;;) {
      const batch: number[] = [];
      const { view } = kept;
      for (; next < view.blockCount * 32 && batch.length < rowsPerMessage; next += 1)
        if (view.isLive(next)) batch.push(next);
      if (batch.length === 0) break;
      const vectors = new Float32Array(batch.length * dims);
      const firstId = slots.length;
      batch.forEach((slot, row) => {
        // Births first: a slot written again while it is copied then counts as unknown.
        births[slot] = Atomics.load(view.births, slot);
        vectors.set(view.row(slot), row * dims);
        slots.push(slot);
        keys.push(view.keys[slot] as number);
        prints.push(printOf(vectors.subarray(row * dims, (row + 1) * dims)));
      });
      await builder.ask({ kind: 'add', firstId, vectors });
    }
    return {
      rows: {
        slots: Int32Array.from(slots),
        births: Int32Array.from({ length: births.length }, (_, i) => births[i] ?? -1),
      },
      contents: { keys: Float64Array.from(keys), prints: Uint32Array.from(prints) },
    };
  }

  async #open(scope: number, kept: Kept, rows: GraphRows, sha256: string): Promise<void> {
    const { graph: file } = pathsFor(this.#settings.dir, kept.name);
    const links = await readGraph(file, sha256, rows.slots.length);
    const shared = sharedGraph(links, kept.view, rows);
    kept.graph = new Graph(shared);
    this.#report({ kind: 'graph', scope, state: 'ready', shared });
  }

  #state(scope: number, state: GraphState): void {
    this.#report({ kind: 'graph', scope, state });
  }

  #warn(name: string, error: unknown, message: string): void {
    const facts = { scope: name, error: error instanceof Error ? error.message : String(error) };
    this.#report({ kind: 'log', level: 'warn', facts, message });
  }
}
