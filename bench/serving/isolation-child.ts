import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Tensors } from '../../server/src/engine/inference/messages.ts';
import { InferencePool } from '../../server/src/engine/inference/pool.ts';
import { layeredNetwork } from './brought.ts';

/** The threads of the built-in models by themselves: one, a network of about a millisecond, and a slow one. */
export type IsolationQuestion =
  | { kind: 'open'; folder: string; slowMs: number }
  /** Asks the quick network at a steady pace while callers ask the slow one without a pause. `isPatient`: as background work. */
  | { kind: 'quick'; calls: number; callers: number; isPatient: boolean };

const pool = new InferencePool({ threads: 1 });
const files = { quick: '', slow: '', probe: '' };
const paceMs = 50;
const item: Tensors = {
  pixel_values: { type: 'float32', dims: [1, 3, 8, 8], data: new Float32Array(3 * 64).fill(0.5) },
};

const run = (name: keyof typeof files, background = false) =>
  pool.run(name, files[name], item, { background });

async function took(name: keyof typeof files): Promise<number> {
  await run(name);
  const began = performance.now();
  await run(name);
  return performance.now() - began;
}

async function open(folder: string, slowMs: number) {
  const make = (name: keyof typeof files, layers: number) => {
    files[name] = join(folder, `layers-${layers}.onnx`);
    writeFileSync(files[name], layeredNetwork(layers));
  };
  make('quick', 12);
  make('probe', 400);
  make('slow', Math.ceil((400 * slowMs) / (await took('probe'))));
  for (let n = 0; n < 5; n++) await run('quick');
  return { slowMs: await took('slow') };
}

async function quick(calls: number, callers: number, isPatient: boolean) {
  let isOver = false;
  const crowd = Array.from({ length: callers }, async () => {
    while (!isOver) await run('slow');
  });
  const ms: number[] = [];
  for (let n = 0; n < calls; n++) {
    const began = performance.now();
    // Patient work waits until the crowd has gone: it goes after every second call of its.
    if (isPatient) setTimeout(() => (isOver = true), 1_000);
    await run('quick', isPatient);
    ms.push(performance.now() - began);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, paceMs - (performance.now() - began))));
  }
  isOver = true;
  await Promise.all(crowd);
  return { ms };
}

process.on('message', (question: IsolationQuestion) => {
  const answer =
    question.kind === 'open'
      ? open(question.folder, question.slowMs)
      : quick(question.calls, question.callers, question.isPatient);
  answer.then(
    (reply) => process.send?.(reply),
    (error) => process.send?.({ error: error instanceof Error ? error.stack : String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));
