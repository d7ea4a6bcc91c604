import { setTimeout as sleep } from 'node:timers/promises';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { beforeAll, expect, test } from 'vitest';
import { uploadPictures } from '#testing/inputs.ts';
import { type Person, signedIn } from '#testing/people.ts';

/** Marsaglia's xorshift, so that a failure can be run again. */
function randomFrom(seed: number) {
  let state = seed | 1;
  return (below: number): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

interface Label {
  readonly id: string;
  readonly value: number;
}
interface Said {
  readonly id: string;
  readonly inputId: string;
  labels: readonly Label[];
  isGone: boolean;
}

const conceptIds = ['cat', 'dog', 'tree', 'car'];
const inputIds = Array.from({ length: 8 }, (_, i) => `i${i}`);
const clientCount = 4;
const stepsPerClient = 25;
const seed = Number(process.env.FOVEA_TEST_SEED ?? Date.now() % 1_000_000);

let alice: Person;
beforeAll(async () => {
  alice = await signedIn('alice');
  await uploadPictures(alice, inputIds);
  await alice.client.postConcepts({ concepts: conceptIds.map((id) => ({ id })) });
});

/** What one client does, one thing after the other, on annotations of its own; only they say what became of them. */
async function work(client: number, said: Said[]): Promise<void> {
  const random = randomFrom(seed + client * 7919);
  const labels = (): Label[] => {
    const known = new Map<string, number>();
    for (let i = random(3) + 1; i > 0; i--) known.set(conceptIds[random(4)] as string, random(2));
    return [...known].map(([id, value]) => ({ id, value }));
  };
  const ok = (reply: { status?: { code: number; details: string } | undefined }) =>
    expect(reply.status?.code, `seed ${seed}: ${reply.status?.details}`).toBe(10000);
  for (let step = 0; step < stepsPerClient; step++) {
    const living = said.filter(({ isGone }) => !isGone);
    const one = living[random(Math.max(1, living.length))];
    const what = random(10);
    if (what < 5 || !one) {
      const made = Array.from({ length: random(3) + 1 }, (_, i) => ({
        id: `c${client}-${step}-${i}`,
        inputId: inputIds[random(inputIds.length)] as string,
        labels: labels(),
        isGone: false,
      }));
      ok(
        await alice.client.postAnnotations({
          annotations: made.map(({ id, inputId, labels: concepts }) => ({
            id,
            inputId,
            data: { concepts: [...concepts] },
          })),
        }),
      );
      said.push(...made);
    } else if (what < 8) {
      const concepts = labels();
      ok(
        await alice.client.patchAnnotations({
          action: 'overwrite',
          annotations: [{ id: one.id, inputId: one.inputId, data: { concepts } }],
        }),
      );
      one.labels = concepts;
    } else {
      ok(await alice.client.deleteAnnotations({ inputIds: [one.inputId], ids: [one.id] }));
      one.isGone = true;
    }
  }
}

/** How many inputs, or annotations, say of a concept that it is there, or that it is not. */
async function counted(): Promise<Record<string, [number, number]>> {
  const { conceptCounts } = await alice.client.getConceptCounts({});
  return Object.fromEntries(
    conceptCounts.map(({ id, conceptTypeCount }) => [
      id,
      [Number(conceptTypeCount?.positive ?? 0), Number(conceptTypeCount?.negative ?? 0)],
    ]),
  );
}

test('counts and the past equal a replay, however several clients write at once', async () => {
  const each = Array.from({ length: clientCount }, (): Said[] => []);
  await Promise.all(each.slice(0, 3).map((said, client) => work(client, said)));
  await sleep(10);
  const middle = new Date();
  await sleep(10);
  const atMiddle = each
    .flat()
    .filter(({ isGone }) => !isGone)
    .map((one) => ({ ...one }));
  await Promise.all(each.map((said, client) => work(client + 10, said)));

  const living = each.flat().filter(({ isGone }) => !isGone);
  const listed: { id: string; labels: string }[] = [];
  for (let page = 1; ; page++) {
    const { annotations } = await alice.client.listAnnotations({ page, perPage: 500 });
    listed.push(
      ...annotations
        .filter(({ inputLevel }) => !inputLevel)
        .map(({ id, data }) => ({ id, labels: asText(data?.concepts ?? []) })),
    );
    if (annotations.length < 500) break;
  }
  const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);
  expect(listed.sort(byId), `seed ${seed}`).toEqual(
    living.map(({ id, labels }) => ({ id, labels: asText(labels) })).sort(byId),
  );

  const expected: Record<string, [number, number]> = {};
  for (const id of conceptIds) {
    const inputsWith = (present: boolean) =>
      new Set(
        living
          .filter(({ labels }) => labels.some((label) => label.id === id && label.value >= 0.5 === present))
          .map(({ inputId }) => inputId),
      ).size;
    expected[id] = [inputsWith(true), inputsWith(false)];
  }
  const counts = await counted();
  for (const id of conceptIds) expect([id, counts[id] ?? [0, 0]], `seed ${seed}`).toEqual([id, expected[id]]);
  expect((await alice.client.getInputCount({})).counts).toMatchObject({ processed: inputIds.length });

  for (const id of conceptIds) {
    const { hits, status } = await alice.client.postInputsSearches({
      searches: [
        {
          asOf: timestampFromDate(middle),
          query: { filters: [{ annotation: { data: { concepts: [{ id, value: 1 }] } } }] },
        } as never,
      ],
      pagination: { perPage: 100 },
    });
    expect(status?.code, status?.details).toBe(10000);
    const then = atMiddle.filter(({ labels }) => labels.some((one) => one.id === id && one.value === 1));
    expect(hits.map(({ input }) => input?.id).sort(), `seed ${seed}`).toEqual(
      [...new Set(then.map(({ inputId }) => inputId))].sort(),
    );
  }
}, 300_000);

const asText = (labels: readonly { id: string; value: number }[]): string =>
  labels
    .map(({ id, value }) => `${id}:${value ?? 0}`)
    .sort()
    .join(' ');
