import type { Dataset } from '@fovea/contract';
import { type ClassInfo, compact, fieldsOf, get, listOf, textField } from '@fovea/formats';

/**
 * The classes of a dataset stand in its metadata, under `classes`, in the order that formats number them by; so a
 * second export numbers them as the first one did, and skeletons and classes that nothing names yet are kept.
 */
export function classesOf(dataset: Pick<Dataset, 'metadata'> | undefined): ClassInfo[] {
  return listOf(dataset?.metadata?.['classes']).flatMap((one): ClassInfo[] => {
    const fields = fieldsOf(one);
    const name = get(fields, 'name');
    if (typeof name !== 'string') return [];
    const [keypoints, skeleton] = [get(fields, 'keypoints'), get(fields, 'skeleton')];
    return [
      compact<ClassInfo>({
        name,
        supercategory: textField(get(fields, 'supercategory')),
        keypoints: Array.isArray(keypoints) ? keypoints.map(String) : undefined,
        skeleton: Array.isArray(skeleton) ? (skeleton as [number, number][]) : undefined,
      }) as ClassInfo,
    ];
  });
}

/** Those there are, then the new ones; a class that learns its keypoints keeps its place. */
export function withClasses(known: readonly ClassInfo[], found: readonly ClassInfo[]): ClassInfo[] {
  const all = new Map(known.map((info) => [info.name, info]));
  for (const info of found) all.set(info.name, { ...info, ...all.get(info.name) });
  return [...all.values()];
}
