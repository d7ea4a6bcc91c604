/** Ids by score, the least score on top. */
export class Heap {
  #ids = new Int32Array(256);
  #scores = new Float64Array(256);
  size = 0;

  get topScore(): number {
    return this.#scores[0] as number;
  }

  clear(): void {
    this.size = 0;
  }

  /** Takes all out, the greatest score first. */
  drained(): { ids: Int32Array; scores: Float64Array } {
    const ids = new Int32Array(this.size);
    const scores = new Float64Array(this.size);
    for (let at = this.size - 1; at >= 0; at -= 1) {
      scores[at] = this.topScore;
      ids[at] = this.pop();
    }
    return { ids, scores };
  }

  push(id: number, score: number): void {
    if (this.size === this.#ids.length) this.#grow();
    const [ids, scores] = [this.#ids, this.#scores];
    let at = this.size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if ((scores[parent] as number) <= score) break;
      ids[at] = ids[parent] as number;
      scores[at] = scores[parent] as number;
      at = parent;
    }
    ids[at] = id;
    scores[at] = score;
  }

  /** @returns the id on top; there has to be one */
  pop(): number {
    const top = this.#ids[0] as number;
    this.size -= 1;
    if (this.size > 0) this.#sink(this.#ids[this.size] as number, this.#scores[this.size] as number);
    return top;
  }

  replaceTop(id: number, score: number): void {
    this.#sink(id, score);
  }

  #sink(id: number, score: number): void {
    const { size } = this;
    const ids = this.#ids;
    const scores = this.#scores;
    let at = 0;
    for (let child = 1; child < size; child = 2 * at + 1) {
      if (child + 1 < size && (scores[child + 1] as number) < (scores[child] as number)) child += 1;
      if ((scores[child] as number) >= score) break;
      ids[at] = ids[child] as number;
      scores[at] = scores[child] as number;
      at = child;
    }
    ids[at] = id;
    scores[at] = score;
  }

  #grow(): void {
    const ids = new Int32Array(this.#ids.length * 2);
    const scores = new Float64Array(ids.length);
    ids.set(this.#ids);
    scores.set(this.#scores);
    [this.#ids, this.#scores] = [ids, scores];
  }
}
