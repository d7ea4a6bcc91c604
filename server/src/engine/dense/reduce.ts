import { edgeOutputs } from '../training/cells.ts';
import { openNet, runNet, shapeOf, type TwoLayer, type TwoLayerNet } from '../training/two-layer.ts';
import { decodeKinds } from './kinds.ts';
import { NearestPatch, type PatchBank, projectPatches, smoothed } from './patches.ts';
import { decodeThings } from './things.ts';

/** What to make of the features of a picture's cells, inside the worker: megabytes stay there. */
export type DenseReduction =
  /** The features of some cells, float32 [cells, features]. */
  | { kind: 'pick'; cells: Int32Array }
  /** The things in the picture (`FoundThing[]`). `id` names the network, so that a worker lays it out once. */
  | { kind: 'things'; id: string; net: TwoLayerNet; confidenceMin: number }
  /** What each pixel is (`KindMap`). */
  | { kind: 'kinds'; id: string; net: TwoLayerNet; width: number; height: number }
  /** How unusual each cell is, float32 [grid * grid]: distance to the nearest usual patch. */
  | { kind: 'unusual'; id: string; bank: PatchBank };

const openedMax = 8;
const opened = new Map<string, TwoLayer | NearestPatch>();

function openedOnce<T extends TwoLayer | NearestPatch>(id: string, open: () => T): T {
  const found = (opened.get(id) as T | undefined) ?? open();
  opened.delete(id);
  opened.set(id, found);
  if (opened.size > openedMax) opened.delete(opened.keys().next().value as string);
  return found;
}

/** @param cells float32 [grid, grid, features] */
export function reduceCells(
  cells: Float32Array,
  dims: readonly number[],
  reduction: DenseReduction,
): unknown {
  const grid = dims[1] as number;
  const features = dims[3] as number;
  switch (reduction.kind) {
    case 'pick': {
      const made = new Float32Array(reduction.cells.length * features);
      reduction.cells.forEach((cell, at) => {
        made.set(cells.subarray(cell * features, (cell + 1) * features), at * features);
      });
      return made;
    }
    case 'things': {
      const { id, net, confidenceMin } = reduction;
      const classes = shapeOf(net).outputs - edgeOutputs;
      return decodeThings(
        runNet(
          openedOnce(id, () => openNet(net)),
          cells,
        ),
        grid,
        classes,
        confidenceMin,
      );
    }
    case 'kinds': {
      const { id, net, width, height } = reduction;
      const out = runNet(
        openedOnce(id, () => openNet(net)),
        cells,
      );
      return decodeKinds(out, grid, shapeOf(net).outputs, { width, height });
    }
    case 'unusual': {
      const { id, bank } = reduction;
      const nearest = openedOnce(id, () => new NearestPatch(bank.bank, bank.width));
      return smoothed(nearest.distances(projectPatches(cells, bank)), grid);
    }
  }
}
