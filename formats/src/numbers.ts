/** Gives texts whole numbers for formats that know ids only as such: the number a text spells, else one made of it. */
export function numberer() {
  const taken = new Set<number>();
  return (text: string): number => {
    let number = /^[1-9]\d{0,14}$/.test(text) ? Number(text) : hashOf(text);
    while (taken.has(number)) number += 1;
    taken.add(number);
    return number;
  };
}

/** 1 to 2^48: the same for the same text, on every machine and in every order. */
function hashOf(text: string): number {
  let [high, low] = [0x811c9dc5, 0xc9dc5118];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    low = Math.imul(low ^ code, 0x01000193) >>> 0;
    high = Math.imul(high ^ (code + (low >>> 16)), 0x85ebca6b) >>> 0;
  }
  return (high % 0x10000) * 0x1_0000_0000 + low + 1;
}

/** Grows as it is filled; eight bytes per number. */
export class NumberList {
  private items = new Float64Array(64);
  length = 0;

  push(value: number): void {
    if (this.length === this.items.length) {
      const larger = new Float64Array(this.length * 2);
      larger.set(this.items);
      this.items = larger;
    }
    this.items[this.length++] = value;
  }

  at(index: number): number {
    return this.items[index] as number;
  }
}

/** Without the last digits, in which a number that is divided and multiplied again wanders off. */
export const steady = (value: number): number => Math.round(value * 1e11) / 1e11;
