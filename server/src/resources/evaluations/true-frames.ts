import { create } from '@bufbuild/protobuf';
import { DataSchema, type Frame, FrameSchema } from '@fovea/contract';

/**
 * The moments of one video, in their order, each once. People annotate one region of one frame at a time; what they
 * said of the same moment belongs together, or a tracker would be shown it twice.
 */
export function momentsOf(frames: readonly Frame[]): Frame[] {
  const byMoment = new Map<string, Frame>();
  for (const { frameInfo, data } of frames) {
    const { number = 0, index = 0, time = 0 } = frameInfo ?? {};
    const key = time > 0 ? `${time} ms` : `frame ${number || index}`;
    const known = byMoment.get(key);
    if (known) known.data?.regions.push(...(data?.regions ?? []));
    else
      byMoment.set(
        key,
        create(FrameSchema, {
          ...(frameInfo ? { frameInfo } : {}),
          data: create(DataSchema, { regions: [...(data?.regions ?? [])] }),
        }),
      );
  }
  return [...byMoment.values()].sort(
    ({ frameInfo: a }, { frameInfo: b }) =>
      (a?.time ?? 0) - (b?.time ?? 0) ||
      (a?.number ?? 0) - (b?.number ?? 0) ||
      (a?.index ?? 0) - (b?.index ?? 0),
  );
}
