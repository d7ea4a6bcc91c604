/** A source of chance that a seed repeats: mulberry32. */
export class Chance {
  #state: number;
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }
  /** 0 <= x < 1 */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }
  below(n: number): number {
    return Math.floor(this.next() * n);
  }
  is(share: number): boolean {
    return this.next() < share;
  }
  one<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
  some<T>(items: readonly T[], most: number): T[] {
    return Array.from({ length: 1 + this.below(most) }, () => this.one(items));
  }
}

// What random apps are filled with and asked for.

/** Words without stems other than themselves. */
export const words = ['zorp', 'blick', 'quon', 'vard', 'mub', 'plit'];
export const concepts = ['ant', 'bee', 'cat', 'dog'];
export const places = [
  { longitude: 179.5, latitude: 10 },
  { longitude: -179.5, latitude: 11 },
  { longitude: 10, latitude: 50 },
  { longitude: 10.4, latitude: 50.2 },
  { longitude: 0, latitude: 89 },
];
export const tasks = ['t1', 't2'];
export const statuses = [24150, 24151, 24158];
export const marks = ['m1', 'm2'];
