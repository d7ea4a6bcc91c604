import { expect } from 'vitest';
import type { MainJob } from './main-job.ts';
import { concepts, type Picture } from './pictures.ts';

/** What the main job has to bring about, over every wire alike. */
export function expectMainJob(job: MainJob, pictures: readonly Picture[]): void {
  const right = job.predictions.filter(({ truth, told }) => truth === told).length;
  expect(right / job.predictions.length).toBeGreaterThanOrEqual(0.75);
  const [first] = pictures.filter((picture) => !picture.heldOut);
  expect(job.nearest).toHaveLength(3);
  expect(job.nearest[0]?.id).toBe(first?.id);
  expect(job.nearest[0]?.score).toBeCloseTo(1, 3);
  const conceptOf = new Map(pictures.map(({ id, concept }) => [id, concept]));
  expect(job.surest.map((id) => conceptOf.get(id))).toEqual([concepts[0], concepts[0], concepts[0]]);
}
