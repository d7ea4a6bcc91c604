import type { Drawing } from './shapes.ts';

const stepsMax = 500;

/**
 * One line of states with a place in it. A change after going back drops what was ahead, as everywhere. States are
 * never changed in place and share what they have in common, so a step costs what it changed.
 */
export class History {
  #states: Drawing[];
  #at = 0;
  /** Changes that come in quick succession under one name are one step: a nudge held down, a slider drawn. */
  #merging: string | undefined;

  constructor(first: Drawing) {
    this.#states = [first];
  }

  get now(): Drawing {
    return this.#states[this.#at] as Drawing;
  }

  get canUndo(): boolean {
    return this.#at > 0;
  }

  get canRedo(): boolean {
    return this.#at < this.#states.length - 1;
  }

  /** @param merge name under which this joins the step before it, if that had the same name */
  do(next: Drawing, merge?: string): void {
    if (next === this.now) return;
    const joins = merge !== undefined && merge === this.#merging;
    this.#states.length = this.#at + 1;
    if (joins) this.#states[this.#at] = next;
    else this.#states.push(next);
    if (this.#states.length > stepsMax) this.#states.shift();
    this.#at = this.#states.length - 1;
    this.#merging = merge;
  }

  undo(): void {
    this.#merging = undefined;
    if (this.canUndo) this.#at--;
  }

  redo(): void {
    this.#merging = undefined;
    if (this.canRedo) this.#at++;
  }

  /** What comes next is a step of its own. */
  endStep(): void {
    this.#merging = undefined;
  }
}
