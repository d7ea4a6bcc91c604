import { createHash } from 'node:crypto';
import { mkdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { entryUrl } from '../vector/entry.ts';
import { type Recipe, type RecipeId, recipes, recipeVersion } from './recipes.ts';
import { sources } from './sources.ts';

export interface ConvertRequest {
  id: number;
  recipe: RecipeId;
  file: string;
}

export interface ConvertReply {
  id: number;
  /** Present when it failed. */
  reason?: string;
}

interface Pending {
  resolve(): void;
  reject(cause: Error): void;
}

/**
 * The ONNX files made from the packaged networks, each made once and kept under the data folder. Its name
 * holds a digest of everything that it is made from, so a new package, projection or recipe makes a new file.
 */
export class OnnxCache {
  readonly #folder: string;
  readonly #assetsDir: string;
  readonly #onProgress: (text: string) => void;
  readonly #files = new Map<RecipeId, Promise<string>>();
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | undefined;
  #nextId = 1;

  constructor(dataDir: string, assetsDir: string, onProgress: (text: string) => void = () => {}) {
    this.#folder = path.join(dataDir, 'models');
    this.#assetsDir = assetsDir;
    this.#onProgress = onProgress;
  }

  /**
   * Where the ONNX file of a recipe lies, after making it if need be. Calls for the same recipe share the work.
   *
   * @throws when a package is absent or changed, or the data folder cannot be written; the next call tries again
   */
  file(id: RecipeId): Promise<string> {
    const known = this.#files.get(id);
    if (known) return known;
    const made = this.#find(id);
    this.#files.set(id, made);
    made.catch(() => this.#files.delete(id));
    return made;
  }

  async #find(id: RecipeId): Promise<string> {
    const file = path.join(this.#folder, `${id}-${await this.#digest(id)}.onnx`);
    const found = await stat(file).catch(() => undefined);
    if (found?.size) return file;
    await mkdir(this.#folder, { recursive: true });
    const began = performance.now();
    await this.#convert(id, file);
    this.#onProgress(`model ${id} made ready in ${Math.round(performance.now() - began)} ms`);
    return file;
  }

  /** Changes with everything that could change what the networks compute. @returns 16 hex digits */
  async fingerprint(model: string, ids: readonly RecipeId[], files: readonly string[] = []): Promise<string> {
    const digests = await Promise.all(ids.map((id) => this.#digest(id)));
    return createHash('sha256')
      .update([model, recipeVersion, ...digests, ...files].join(' '))
      .digest('hex')
      .slice(0, 16);
  }

  async #digest(id: RecipeId): Promise<string> {
    const recipe: Recipe = recipes[id];
    const hash = createHash('sha256').update(`${id} ${recipeVersion}`);
    for (const source of recipe.sources) for (const { sha256 } of sources[source]) hash.update(sha256);
    for (const asset of recipe.assets) hash.update(await readFile(path.join(this.#assetsDir, asset)));
    return hash.digest('hex').slice(0, 16);
  }

  #convert(recipe: RecipeId, file: string): Promise<void> {
    this.#worker ??= this.#spawn();
    const id = this.#nextId++;
    const worker = this.#worker;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      worker.postMessage({ id, recipe, file } satisfies ConvertRequest);
    });
  }

  #spawn(): Worker {
    const worker = new Worker(entryUrl('convert-worker', import.meta.url), {
      workerData: { assetsDir: this.#assetsDir },
      name: 'convert',
    });
    worker.on('message', ({ id, reason }: ConvertReply) => {
      const pending = this.#pending.get(id);
      this.#pending.delete(id);
      if (reason === undefined) pending?.resolve();
      else pending?.reject(new Error(reason));
      if (this.#pending.size === 0) this.#dismiss(worker);
    });
    worker.on('error', (cause: Error) => this.#fail(worker, cause));
    worker.on('exit', () => this.#fail(worker, new Error('the conversion ended unexpectedly')));
    return worker;
  }

  #dismiss(worker: Worker): void {
    if (this.#worker === worker) this.#worker = undefined;
    void worker.terminate();
  }

  #fail(worker: Worker, cause: Error): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    for (const pending of this.#pending.values()) pending.reject(cause);
    this.#pending.clear();
  }
}
