import type { Annotation } from '@fovea/contract/rest';
import { type Response, rpc } from '../api/client.ts';
import { type AppName, refresh } from '../api/queries.ts';
import { onServerState } from '../api/server-state.ts';
import { code, Trouble } from '../api/trouble.ts';
import { annotationOf } from './annotations.ts';
import { forgetDraft, keepDraft } from './drafts.ts';
import type { FrameClock } from './frames.ts';
import { isEmptied, withoutParts, withPart } from './homes.ts';
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
  readonly removed: readonly (Shape | Mark)[];
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
    removed: [...before.values()].filter(({ id }) => !after.has(id)),
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
  /** Places among the shapes, as the server has them. */
  readonly #orders: Map<string, number>;
  #saved: Drawing;
  #wanted: Drawing;
  #running: Promise<void> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

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
    this.#orders = new Map(
      saved.shapes.flatMap(({ id, order }) => (order === undefined ? [] : [[id, order] as const])),
    );
    this.#changed = changed;
    this.#stopListening = onServerState((isLost) => {
      if (isLost) return;
      if (this.#isClosed) this.#finish();
      else void this.flush();
    });
    // Whoever opens an input again has the draft of what is not saved, and goes on from there.
    const key = keyOf(app, inputId);
    const before = left.get(key);
    if (before) before.#stopListening();
    left.delete(key);
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

  /** Saves what is not saved yet, at once; resolves when the server has it or has refused. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#running ??= this.#sendAll().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #sendAll(): Promise<void> {
    try {
      while (this.isDirty) {
        const target = this.#wanted;
        this.#changed({ kind: 'saving' });
        await this.#send(target);
        this.#saved = target;
      }
      await forgetDraft(this.#app, this.#inputId);
      // Something may have been drawn meanwhile.
      if (!this.isDirty) this.#changed({ kind: 'saved' });
      void refresh('GetConceptCounts');
    } catch (thrown) {
      const changes = countOf(changesBetween(this.#saved, this.#wanted));
      const isAway = thrown instanceof Trouble && thrown.isKey;
      this.#changed(isAway ? { kind: 'waiting', changes } : { kind: 'failed', thrown, changes });
    }
  }

  close(): void {
    this.#isClosed = true;
    if (!this.isDirty && !this.#running) {
      this.#stopListening();
      return;
    }
    left.set(keyOf(this.#app, this.#inputId), this);
    this.#finish();
  }

  /** Saves what is left to save; while the server is away, when it is back. */
  #finish(): void {
    const key = keyOf(this.#app, this.#inputId);
    const done = this.flush().finally(() => {
      if (closing.get(key) === done) closing.delete(key);
      if (this.isDirty) return;
      this.#stopListening();
      if (left.get(key) === this) left.delete(key);
    });
    closing.set(key, done);
  }

  /** What is drawn, as an annotation. */
  #message(item: Shape | Mark, isKnown = false): Promise<Annotation> {
    return annotationOf(item, this.#inputId, this.#size, {
      order: this.#orders.get(item.id),
      clock: this.#video?.clock,
      isKnown,
    });
  }

  /** Brings annotations to what is drawn; those that somebody deleted meanwhile are made again. */
  async #overwrite(items: readonly (Shape | Mark)[]): Promise<void> {
    const user_app_id = this.#app;
    const annotations = await Promise.all(items.map((item) => this.#message(item, true)));
    const reply = await rpc(
      'PatchAnnotations',
      { user_app_id, action: 'overwrite', annotations },
      { mixedIsFine: true },
    );
    const gone = items.filter((_, i) => reply.annotations?.[i]?.status?.code === code.doesNotExist);
    throwRefused(reply, (status) => status?.code === code.doesNotExist);
    if (gone.length === 0) return;
    const anew = await Promise.all(gone.map((item) => this.#message(item)));
    throwRefused(await rpc('PostAnnotations', { user_app_id, annotations: anew }, { mixedIsFine: true }));
  }

  async #delete(ids: readonly string[]): Promise<void> {
    const input_ids = ids.map(() => this.#inputId);
    await rpc('DeleteAnnotations', { user_app_id: this.#app, ids, input_ids });
  }

  /** Brings parts back into annotations that say more than what is drawn of them, as those are at the server now. */
  async #sendHome(
    target: Drawing,
    kept: readonly (Shape | Mark)[],
    removed: readonly (Shape | Mark)[],
  ): Promise<void> {
    const homes = new Map(
      [...kept, ...removed].flatMap(({ home }) => (home ? [[home.annotation.id ?? '', home] as const] : [])),
    );
    for (const ids of chunks([...homes.keys()])) {
      const there = await readAgain(this.#app, this.#inputId, ids);
      const posted: Annotation[] = [];
      const patched: Annotation[] = [];
      const emptied: string[] = [];
      for (const id of ids) {
        const known = there.get(id);
        // One that is gone is made again of what is drawn of it now.
        let next = known ?? withoutParts(homes.get(id)?.annotation ?? {});
        for (const { home } of removed)
          if (home?.annotation.id === id) next = withPart(next, home, undefined);
        for (const item of known ? kept : itemsOf(target))
          if (item.home?.annotation.id === id)
            next = withPart(next, item.home, await this.#message(item, true));
        if (isEmptied(next)) emptied.push(...(known ? [id] : []));
        else (known ? patched : posted).push(asSent(next));
      }
      const user_app_id = this.#app;
      if (posted.length > 0) await rpc('PostAnnotations', { user_app_id, annotations: posted });
      if (patched.length > 0)
        await rpc('PatchAnnotations', { user_app_id, action: 'overwrite', annotations: patched });
      if (emptied.length > 0) await this.#delete(emptied);
    }
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
    const isMoved = isReordered(this.#saved, target);
    if (isMoved) for (const [i, { id }] of target.shapes.entries()) this.#orders.set(id, i);
    const reordered = target.shapes.filter(
      (shape) => isMoved && !added.includes(shape) && !changed.includes(shape),
    );
    const user_app_id = this.#app;
    for (const some of chunks(added.filter(({ home }) => !home))) {
      const annotations = await Promise.all(some.map((item) => this.#message(item)));
      // An answer that was lost may have been a success: what is there already is brought to this state instead.
      const reply = await rpc('PostAnnotations', { user_app_id, annotations }, { mixedIsFine: true });
      const again = some.filter((_, i) => isDuplicate(reply.annotations?.[i]?.status));
      if (again.length > 0) await this.#overwrite(again);
      throwRefused(reply, (status) => isDuplicate(status));
    }
    for (const some of chunks([...changed, ...reordered].filter(({ home }) => !home)))
      await this.#overwrite(some);
    for (const some of chunks(removed.filter(({ home }) => !home)))
      await this.#delete(some.map(({ id }) => id));
    await this.#sendHome(target, [...added, ...changed, ...reordered], removed);
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

/** Inputs that were left before all of them was saved. */
const left = new Map<string, Autosave>();
/** Savings that go on after their input was left. */
const closing = new Map<string, Promise<unknown>>();
const keyOf = ({ user_id, app_id }: AppName, inputId: string): string => `${user_id}/${app_id}/${inputId}`;

/** Resolves when nothing that was drawn on an input before is still on its way to the server. */
export const whenClosed = (app: AppName, inputId: string): Promise<unknown> =>
  closing.get(keyOf(app, inputId)) ?? Promise.resolve();

type Reply = Pick<Response<'PostAnnotations'>, 'annotations' | 'status'>;
type Status = Annotation['status'];

const isDuplicate = (status: Status): boolean => /duplicate/i.test(status?.details ?? '');
const isTaken = ({ code = 0 }: NonNullable<Status>): boolean =>
  code === 10000 || (code >= 24150 && code <= 24159);

/** @throws Trouble in the server's words, where it did not take one, unless that was to be expected */
function throwRefused({ annotations, status }: Reply, isExpected = (_: Status): boolean => false): void {
  const refused = annotations?.find((one) => !isTaken(one.status ?? {}) && !isExpected(one.status));
  if (!refused) return;
  throw new Trouble(refused.status?.details ?? refused.status?.description ?? '', {
    advice: 'advice.change',
    code: refused.status?.code ?? 0,
    requestId: status?.req_id ?? '',
  });
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

/** Annotations as they are now; those that are gone are left out. */
async function readAgain(
  user_app_id: AppName,
  inputId: string,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Annotation>> {
  const { annotations = [] } = await rpc(
    'ListAnnotations',
    { user_app_id, ids, input_ids: ids.map(() => inputId), per_page: perRequest },
    { quiet: true },
  );
  return new Map(annotations.map((annotation) => [annotation.id ?? '', annotation]));
}

/** What of an annotation is the caller's to say. */
const asSent = ({ id = '', input_id = '', data = {}, annotation_info = {} }: Annotation): Annotation => ({
  id,
  input_id,
  data,
  annotation_info,
});
