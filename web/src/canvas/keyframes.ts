import { anew, type Drawing, newId, type Shape } from './shapes.ts';
import { betweenAt, rounded, tracksOf } from './tracks.ts';

/**
 * What tracks are in a frame where they have no keyframe, by the id that a keyframe there would have: a change makes it
 * one. The same question gives the same answer, so that panels draw it once.
 */
export class Betweens {
  readonly #ids = new Map<string, string>();
  #known: { shapes?: readonly Shape[]; frame?: number | undefined; found: ReadonlyMap<string, Shape> } = {
    found: new Map(),
  };

  find(shapes: readonly Shape[], frame: number | undefined): ReadonlyMap<string, Shape> {
    if (this.#known.shapes === shapes && this.#known.frame === frame) return this.#known.found;
    const found = new Map<string, Shape>();
    for (const track of frame === undefined ? [] : tracksOf(shapes)) {
      const one = betweenAt(track, frame as number);
      if (!one) continue;
      const id = this.#idOf(`${track.id} ${frame}`);
      found.set(id, anew(one.shape, { id, frame, outsideAfter: false }));
    }
    this.#known = { shapes, frame, found };
    return found;
  }

  #idOf(place: string): string {
    const id = this.#ids.get(place) ?? newId();
    this.#ids.set(place, id);
    return id;
  }
}

/**
 * A drawing in which a frame has become a keyframe of a track, or is none any more; undefined where the track is
 * locked, or nowhere.
 *
 * @param between what tracks are in that frame without a keyframe
 */
export function withKeyframeToggled(
  drawing: Drawing,
  { track, frame }: { readonly track: string; readonly frame: number },
  between: readonly Shape[],
): { readonly drawing: Drawing; readonly made?: Shape } | undefined {
  const own = drawing.shapes.filter((shape) => shape.trackId === track);
  if (own.some(({ isLocked }) => isLocked)) return undefined;
  const here = own.find((shape) => shape.frame === frame);
  if (here) return { drawing: { ...drawing, shapes: drawing.shapes.filter((shape) => shape !== here) } };
  const [nearest] = own.toSorted(
    (a, b) => Math.abs((a.frame ?? 0) - frame) - Math.abs((b.frame ?? 0) - frame),
  );
  const from =
    between.find(({ trackId }) => trackId === track) ??
    (nearest && anew(nearest, { id: newId(), frame, outsideAfter: false }));
  if (!from) return undefined;
  const made = { ...from, geometry: rounded(from.geometry) };
  return { drawing: { ...drawing, shapes: [...drawing.shapes, made] }, made };
}
