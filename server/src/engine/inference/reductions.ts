import { decodeFaces } from '../builtin/face-boxes.ts';
import { decodeObjects } from '../builtin/object-heads.ts';
import { reduceCells } from '../dense/reduce.ts';
import type { Reduction, TensorData, Tensors } from './messages.ts';

/**
 * Turns bulky outputs into the few numbers that matter, inside the worker, so that megabytes of heat maps
 * neither cross threads nor are searched on the event loop.
 */
export function reduceOutputs(outputs: Tensors, reduction: Reduction): unknown {
  switch (reduction.kind) {
    case 'objects':
      return decodeObjects(floats(outputs, 'distances'), floats(outputs, 'scores'), reduction.confidenceMin);
    case 'faces':
      return decodeFaces(
        [floats(outputs, 'logits16'), floats(outputs, 'logits32')],
        [floats(outputs, 'boxes16'), floats(outputs, 'boxes32')],
        reduction.confidenceMin,
      );
    default:
      return reduceCells(floats(outputs, 'cells'), outputs['cells']?.dims ?? [], reduction);
  }
}

function floats(outputs: Record<string, TensorData>, name: string): Float32Array {
  const found = outputs[name]?.data;
  if (!(found instanceof Float32Array)) throw new Error(`the network has no float output ${name}`);
  return found;
}
