import { decodeFaces } from '../builtin/face-boxes.ts';
import { decodeObjects } from '../builtin/object-heads.ts';
import type { Reduction, TensorData, Tensors } from './messages.ts';

/**
 * Turns bulky outputs into the few numbers that matter, inside the worker, so that megabytes of heat maps
 * neither cross threads nor are searched on the event loop.
 */
export function reduceOutputs(outputs: Tensors, { kind, confidenceMin }: Reduction): unknown {
  switch (kind) {
    case 'objects':
      return decodeObjects(floats(outputs, 'distances'), floats(outputs, 'scores'), confidenceMin);
    case 'faces':
      return decodeFaces(
        [floats(outputs, 'logits16'), floats(outputs, 'logits32')],
        [floats(outputs, 'boxes16'), floats(outputs, 'boxes32')],
        confidenceMin,
      );
  }
}

function floats(outputs: Record<string, TensorData>, name: string): Float32Array {
  const found = outputs[name]?.data;
  if (!(found instanceof Float32Array)) throw new Error(`the network has no float output ${name}`);
  return found;
}
