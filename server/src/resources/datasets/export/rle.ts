/**
 * Run-length encoding of masks as COCO keeps them: lengths of runs, column by column, of uncovered and covered
 * pixels in turn, beginning with uncovered (pycocotools, common/maskApi.c).
 */

/** @param pixels 0 or 1, row by row */
export function runsOf(pixels: Uint8Array, width: number, height: number): number[] {
  const runs: number[] = [];
  let value = 0;
  let length = 0;
  for (let col = 0; col < width; col++)
    for (let row = 0; row < height; row++) {
      const here = pixels[row * width + col] as number;
      if (here !== value) {
        runs.push(length);
        length = 0;
        value = here;
      }
      length++;
    }
  runs.push(length);
  return runs;
}

/** Runs as printable text: each as a difference from the one two before, six bits a character. */
export function textOf(runs: readonly number[]): string {
  let text = '';
  for (const [i, run] of runs.entries()) {
    let x = i > 2 ? run - (runs[i - 2] as number) : run;
    for (let more = true; more; ) {
      let bits = x & 0x1f;
      x >>= 5;
      more = bits & 0x10 ? x !== -1 : x !== 0;
      if (more) bits |= 0x20;
      text += String.fromCharCode(bits + 48);
    }
  }
  return text;
}

/** Covered pixels, and the box around them as COCO writes boxes: x, y, width, height. */
export function extentOf(pixels: Uint8Array, width: number) {
  let area = 0;
  let [left, top, right, bottom] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, -1, -1];
  for (let at = 0; at < pixels.length; at++) {
    if (pixels[at] === 0) continue;
    const [row, col] = [Math.floor(at / width), at % width];
    area++;
    left = Math.min(left, col);
    right = Math.max(right, col);
    top = Math.min(top, row);
    bottom = Math.max(bottom, row);
  }
  const bbox = area === 0 ? [0, 0, 0, 0] : [left, top, right - left + 1, bottom - top + 1];
  return { area, bbox };
}
