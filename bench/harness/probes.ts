import { closeSync, fdatasyncSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** What the machine does in a fixed piece of work, in milliseconds of wall time. */
export interface Probes {
  /** 20 million dependent integer steps. */
  readonly jsLoopMs: number;
  /** Adding up 200 MB of memory in order. */
  readonly sequentialReadMs: number;
  /** One 384 × 384 × 384 matrix product in float32. */
  readonly gemmMs: number;
  /** 200 times 4 kB written and synced. */
  readonly fsyncsMs: number;
}

/** Further apart than this between start and end, and the machine was not the same machine. */
const noisyFrom = 0.25;

const memory = new Float64Array(200_000_000 / 8).fill(1);
const side = 384;

/** Best of three, except for the disk: it is measured as it is. Takes about two seconds. */
export function probe(folder: string): Probes {
  return {
    jsLoopMs: bestOf(jsLoop),
    sequentialReadMs: bestOf(sequentialRead),
    gemmMs: bestOf(gemm),
    fsyncsMs: timed(() => fsyncs(folder)),
  };
}

/** The probes that moved by more than a quarter, in words; none on a quiet machine. */
export function noiseBetween(start: Probes, end: Probes): string[] {
  return (Object.keys(start) as (keyof Probes)[]).flatMap((name) => {
    const [small, large] = [Math.min(start[name], end[name]), Math.max(start[name], end[name])];
    if (large <= small * (1 + noisyFrom)) return [];
    return [`${name} ${start[name].toFixed(1)} → ${end[name].toFixed(1)}`];
  });
}

const bestOf = (work: () => unknown): number => Math.min(timed(work), timed(work), timed(work));

function timed(work: () => unknown): number {
  const began = performance.now();
  work();
  return performance.now() - began;
}

function jsLoop(): number {
  let state = 1;
  for (let i = 0; i < 20_000_000; i++) state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
  return state;
}

function sequentialRead(): number {
  let sum = 0;
  for (let i = 0; i < memory.length; i++) sum += memory[i] as number;
  return sum;
}

function gemm(): Float32Array {
  const [a, b, c] = [
    new Float32Array(side * side),
    new Float32Array(side * side),
    new Float32Array(side * side),
  ];
  a.fill(0.5);
  b.fill(0.25);
  for (let i = 0; i < side; i++) {
    for (let k = 0; k < side; k++) {
      const factor = a[i * side + k] as number;
      for (let j = 0; j < side; j++)
        c[i * side + j] = (c[i * side + j] as number) + factor * (b[k * side + j] as number);
    }
  }
  return c;
}

function fsyncs(folder: string): void {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, 'probe');
  const file = openSync(path, 'w');
  const block = Buffer.alloc(4096, 7);
  for (let i = 0; i < 200; i++) {
    writeSync(file, block);
    fdatasyncSync(file);
  }
  closeSync(file);
  rmSync(path);
}
