import type { FoveaWhy, Input } from '@fovea/contract/rest';

/** One thing in the gallery. The score is there where something was ranked. */
export interface Item {
  readonly input: Input;
  readonly score?: number;
  /** What each part of a ranked search says of it. */
  readonly why?: FoveaWhy | undefined;
}

/** A list of inputs that can be read from any place, a page at a time. */
export interface Source {
  /** Tells lists apart: the gallery starts anew when it changes. */
  readonly key: string;
  count(signal: AbortSignal): Promise<number>;
  /** Pages count from 0. */
  read(page: number, signal: AbortSignal): Promise<readonly Item[]>;
}

export const pageSize = 128;
const pagesKept = 60;

/**
 * Pages of a source, fetched when they come into view and let go when many others have since. Calls `changed` when
 * something arrived. What is no longer wanted is no longer fetched.
 */
export class Pages {
  readonly #source: Source;
  readonly #changed: () => void;
  readonly #pages = new Map<number, readonly Item[]>();
  readonly #running = new Map<number, AbortController>();
  readonly #troubles = new Map<number, unknown>();

  constructor(source: Source, changed: () => void) {
    this.#source = source;
    this.#changed = changed;
  }

  get(page: number): readonly Item[] | undefined {
    const found = this.#pages.get(page);
    if (found) {
      this.#pages.delete(page);
      this.#pages.set(page, found);
    }
    return found;
  }

  trouble(): unknown {
    return [...this.#troubles.values()][0];
  }

  /** Fetches these pages and gives up on others that are on their way. */
  want(pages: readonly number[]): void {
    for (const [page, controller] of this.#running) if (!pages.includes(page)) controller.abort();
    for (const page of pages) if (!this.#pages.has(page) && !this.#running.has(page)) void this.#fetch(page);
  }

  async #fetch(page: number): Promise<void> {
    const controller = new AbortController();
    this.#running.set(page, controller);
    try {
      const items = await this.#source.read(page, controller.signal);
      this.#pages.set(page, items);
      this.#troubles.delete(page);
      for (const old of this.#pages.keys()) {
        if (this.#pages.size <= pagesKept) break;
        this.#pages.delete(old);
      }
    } catch (thrown) {
      if (!controller.signal.aborted) this.#troubles.set(page, thrown);
    } finally {
      if (this.#running.get(page) === controller) this.#running.delete(page);
    }
    if (!controller.signal.aborted) this.#changed();
  }

  /** Puts changed inputs in place of what was read of them. */
  replace(inputs: readonly Input[]): void {
    const byId = new Map(inputs.map((input) => [input.id, input]));
    for (const [page, items] of this.#pages) {
      if (!items.some(({ input }) => byId.has(input.id))) continue;
      this.#pages.set(
        page,
        items.map((item) => ({ ...item, input: byId.get(item.input.id) ?? item.input })),
      );
    }
    this.#changed();
  }

  /** Reads again what is in view, in the background: what is shown stays until the new is there. */
  refresh(pages: readonly number[]): void {
    this.#troubles.clear();
    for (const page of [...this.#pages.keys()]) if (!pages.includes(page)) this.#pages.delete(page);
    for (const page of pages) {
      this.#running.get(page)?.abort();
      void this.#fetch(page);
    }
  }

  close(): void {
    for (const controller of this.#running.values()) controller.abort();
  }
}
