import { rpc } from '../api/client.ts';
import { type AppName, refresh } from '../api/queries.ts';
import { onServerState } from '../api/server-state.ts';
import { code, Trouble } from '../api/trouble.ts';
import { annotationOf } from './annotations.ts';
import { forgetDraft, keepDraft } from './drafts.ts';
import type { FrameClock } from './frames.ts';
import { type ConceptRef, type Drawing, itemsOf, type Mark, type Shape } from './shapes.ts';
import { tracksOf } from './tracks.ts';
import type { Size } from './view.ts';

export type SaveState =
  | { readonly kind: 'saved' }
  | { readonly kind: 'saving' }
  | { readonly kind: 'waiting'; readonly changes: number }
  | { readonly kind: 'failed'; readonly thrown: unknown; readonly changes: number };

const quietMs = 600;
const perRequest = 100;

/** What saving needs to know of a video. `tracks`: ids of those that the server has. */
export interface VideoParts {
  readonly clock: FrameClock;
  readonly tracks: Set<string>;
}

/** What must be told to the server to bring it from one drawing to another. */
export interface Changes {
  readonly added: readonly (Shape | Mark)[];
  readonly changed: readonly (Shape | Mark)[];
  readonly removed: readonly string[];
  readonly labelsAdded: readonly ConceptRef[];
  readonly labelsRemoved: readonly ConceptRef[];
}

export function changesBetween(from: Drawing, to: Drawing): Changes {
  const items = itemsOf(to);
  const before = new Map(itemsOf(from).map((item) => [item.id, item]));
  const after = new Set(items.map(({ id }) => id));
  const labelsBefore = new Set(from.labels.map(({ id }) => id));
  const labelsAfter = new Set(to.labels.map(({ id }) => id));
  return {
    added: items.filter(({ id }) => !before.has(id)),
    changed: items.filter((item) => before.has(item.id) && before.get(item.id) !== item),
    removed: [...before.keys()].filter((id) => !after.has(id)),
    labelsAdded: to.labels.filter(({ id }) => !labelsBefore.has(id)),
    labelsRemoved: from.labels.filter(({ id }) => !labelsAfter.has(id)),
  };
}

export const countOf = (changes: Changes): number =>
  Object.values(changes).reduce((sum: number, list: readonly unknown[]) => sum + list.length, 0);

/** Whether shapes that stayed lie in another order than before. */
const isReordered = (from: Drawing, to: Drawing): boolean => {
  const there = new Set(to.shapes.map(({ id }) => id));
  const here = new Set(from.shapes.map(({ id }) => id));
  const before = from.shapes.filter(({ id }) => there.has(id));
  const after = to.shapes.filter(({ id }) => here.has(id));
  return before.some(({ id }, i) => after[i]?.id !== id);
};

/**
 * Keeps the server at what is drawn: soon after the last change, one request at a time, and on and on while the
 * server is away. Until the server has them, changes lie in this browser too, so a reload loses none.
 */
export class Autosave {
  readonly #app: AppName;
  readonly #inputId: string;
  readonly #size: Size;
  readonly #changed: (state: SaveState) => void;
  readonly #stopListening: () => void;
  readonly #video: VideoParts | undefined;
  #saved: Drawing;
  #wanted: Drawing;
  #isRunning = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    app: AppName,
    inputId: string,
    size: Size,
    saved: Drawing,
    changed: (state: SaveState) => void,
    video?: VideoParts,
  ) {
    this.#video = video;
    this.#app = app;
    this.#inputId = inputId;
    this.#size = size;
    this.#saved = saved;
    this.#wanted = saved;
    this.#changed = changed;
    this.#stopListening = onServerState((isLost) => {
      if (!isLost) void this.flush();
    });
  }

  get isDirty(): boolean {
    return this.#wanted !== this.#saved;
  }

  save(drawing: Drawing): void {
    this.#wanted = drawing;
    void keepDraft(this.#app, this.#inputId, drawing);
    this.#changed({ kind: 'waiting', changes: countOf(changesBetween(this.#saved, drawing)) });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.flush(), quietMs);
  }

  /** Saves what is not saved yet, at once. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      while (this.isDirty) {
        const target = this.#wanted;
        this.#changed({ kind: 'saving' });
        await this.#send(target);
        this.#saved = target;
      }
      await forgetDraft(this.#app, this.#inputId);
      this.#changed({ kind: 'saved' });
      void refresh('GetConceptCounts');
    } catch (thrown) {
      const changes = countOf(changesBetween(this.#saved, this.#wanted));
      const isAway = thrown instanceof Trouble && thrown.isKey;
      this.#changed(isAway ? { kind: 'waiting', changes } : { kind: 'failed', thrown, changes });
    } finally {
      this.#isRunning = false;
    }
  }

  close(): void {
    this.#stopListening();
    if (this.isDirty) void this.flush();
  }

  /** Tracks, which say between which frames the server works out what lies between keyframes. */
  async #sendTracks({ clock, tracks }: VideoParts, target: Drawing): Promise<void> {
    const before = trackFacts(this.#saved, clock);
    const after = trackFacts(target, clock);
    const where = { user_app_id: this.#app, input_id: this.#inputId };
    const changed = [...after.values()].filter(({ facts, text }) => before.get(facts.id)?.text !== text);
    for (const some of chunks(changed.filter(({ facts }) => !tracks.has(facts.id)))) {
      const annotation_tracks = some.map(({ facts }) => ({ ...facts, sample_rate_frame: 1 }));
      await rpc('PostAnnotationTracks', { ...where, annotation_tracks }).catch(async (thrown: unknown) => {
        // An answer that was lost may have been a success.
        if (!(thrown instanceof Trouble) || thrown.code !== code.duplicateId) throw thrown;
        for (const one of annotation_tracks)
          await rpc('PostAnnotationTracks', { ...where, annotation_tracks: [one] }).catch(
            (again: unknown) => {
              if (!(again instanceof Trouble) || again.code !== code.duplicateId) throw again;
            },
          );
        await rpc('PatchAnnotationTracks', { ...where, action: 'overwrite', annotation_tracks });
      });
      for (const { facts } of some) tracks.add(facts.id);
    }
    const known = changed.filter(({ facts }) => tracks.has(facts.id) && before.has(facts.id));
    for (const some of chunks(known))
      await rpc('PatchAnnotationTracks', {
        ...where,
        action: 'overwrite',
        annotation_tracks: some.map(({ facts }) => facts),
      });
    const gone = [...before.keys()].filter((id) => !after.has(id) && tracks.has(id));
    for (const ids of chunks(gone)) {
      await rpc('DeleteAnnotationTracks', { ...where, ids });
      for (const id of ids) tracks.delete(id);
    }
  }

  async #send(target: Drawing): Promise<void> {
    const { added, changed, removed, labelsAdded, labelsRemoved } = changesBetween(this.#saved, target);
    const orders = new Map(
      isReordered(this.#saved, target) ? target.shapes.map(({ id }, i) => [id, i] as const) : [],
    );
    const reordered = target.shapes.filter(
      (shape) => orders.has(shape.id) && !added.includes(shape) && !changed.includes(shape),
    );
    const message = (item: Shape | Mark) =>
      annotationOf(item, this.#inputId, this.#size, {
        order: orders.get(item.id),
        clock: this.#video?.clock,
      });
    const user_app_id = this.#app;
    for (const some of chunks(added)) {
      const annotations = await Promise.all(some.map(message));
      // An answer that was lost may have been a success: what is there already is brought to this state instead.
      const reply = await rpc('PostAnnotations', { user_app_id, annotations }, { mixedIsFine: true });
      const again = annotations.filter((_, i) =>
        /duplicate/i.test(reply.annotations?.[i]?.status?.details ?? ''),
      );
      if (again.length > 0)
        await rpc('PatchAnnotations', { user_app_id, action: 'overwrite', annotations: again });
      const refused = reply.annotations?.find(
        ({ status }) =>
          status?.code !== 24150 && status?.code !== 10000 && !/duplicate/i.test(status?.details ?? ''),
      );
      if (refused)
        throw new Trouble(refused.status?.details ?? refused.status?.description ?? '', {
          advice: 'advice.change',
          code: refused.status?.code ?? 0,
          requestId: reply.status?.req_id ?? '',
        });
    }
    for (const some of chunks([...changed, ...reordered])) {
      const annotations = await Promise.all(some.map(message));
      await rpc('PatchAnnotations', { user_app_id, action: 'overwrite', annotations });
    }
    for (const ids of chunks(removed))
      await rpc('DeleteAnnotations', { user_app_id, ids, input_ids: ids.map(() => this.#inputId) });
    if (this.#video) await this.#sendTracks(this.#video, target);
    const label = (concepts: readonly ConceptRef[], action: 'merge' | 'remove') =>
      rpc('PatchInputs', {
        user_app_id,
        action,
        inputs: [
          {
            id: this.#inputId,
            data: {
              concepts: concepts.map(({ id, name }) =>
                action === 'merge' ? { id, name, value: 1 } : { id },
              ),
            },
          },
        ],
      });
    if (labelsAdded.length > 0) await label(labelsAdded, 'merge');
    if (labelsRemoved.length > 0) await label(labelsRemoved, 'remove');
  }
}

interface TrackFacts {
  readonly id: string;
  readonly concept?: ConceptRef;
  readonly start_frame_nr: number;
  readonly end_frame_nr: number;
  readonly start_frame_ms: number;
  readonly end_frame_ms: number;
}

/** What the server keeps of each track, as text to compare and as a message to send. */
function trackFacts(
  { shapes }: Drawing,
  clock: FrameClock,
): Map<string, { text: string; facts: TrackFacts }> {
  return new Map(
    tracksOf(shapes).map(({ id, concept, keyframes }) => {
      const [first, last] = [keyframes[0]?.frame ?? 0, keyframes.at(-1)?.frame ?? 0];
      const facts: TrackFacts = {
        id,
        ...(concept ? { concept } : {}),
        start_frame_nr: first,
        end_frame_nr: last,
        start_frame_ms: clock.timeOf(first),
        end_frame_ms: clock.timeOf(last),
      };
      return [id, { text: JSON.stringify(facts), facts }];
    }),
  );
}

function* chunks<Item>(items: readonly Item[]): Generator<readonly Item[]> {
  for (let from = 0; from < items.length; from += perRequest) yield items.slice(from, from + perRequest);
}
