import { expect, test } from 'vitest';
import { openGroups, openSlots } from './group.ts';
import { inputIdTrouble, jpegSize, laterTwins, suffixedIds, urlTrouble } from './input.ts';
import { picture } from './inputs.testing.ts';
import { mediaSuffix, originalUrl, ownOriginal, readMediaPath } from './media-url.ts';
import { shiftsOf } from './process.ts';

test.each([
  ['http://example.org/a.jpg', undefined],
  ['https://example.org:8443/a.jpg?x=1#y', undefined],
  ['ftp://example.org/a.jpg', 'http'],
  ['s3://bucket/a.jpg', 'http'],
  ['file:///etc/passwd', 'http'],
  ['example.org/a.jpg', 'not a URL'],
  ['http://user:secret@example.org/', 'password'],
  [`http://example.org/${'a'.repeat(5000)}`, '4096'],
])('the URL %s: %s', (url, trouble) => {
  if (trouble === undefined) expect(urlTrouble(url)).toBeUndefined();
  else expect(urlTrouble(url)).toContain(trouble);
});

test.each(['dog.tiff', 'my cat 1', '日本', 'a_b-c'])('the input id %s is fine', (id) =>
  expect(inputIdTrouble(id)).toBeUndefined(),
);
test.each(['a/b', 'a?b', '..', 'a\nb', 'x'.repeat(300)])('the input id %j is refused', (id) =>
  expect(inputIdTrouble(id)).toBeDefined(),
);

test('of equal ids in one request the first is kept', () => {
  const ids = ['a', 'b', 'a', 'c', 'a'].map((id, position) => ({ position, id }));
  expect([...laterTwins(ids)]).toEqual([2, 4]);
  expect(suffixedIds('x').at(-1)).toBe('x-9');
});

test('the size of a JPEG is read from its frame header', async () => {
  expect(jpegSize(await picture(1, { width: 123, height: 45 }))).toEqual({ width: 123, height: 45 });
  expect(jpegSize(Buffer.from('no jpeg at all'))).toBeUndefined();
});

test('a hosted URL tells whose medium it is, and only its own app takes it for one of its own', () => {
  const grant = { userId: 'zoë', appId: 'my app' };
  const sha = Buffer.alloc(32, 7);
  const url = originalUrl('http://host', grant as never, 'image', sha);
  expect(readMediaPath(new URL(url).pathname)).toEqual({ size: 'orig', kind: 'image', sha, ...grant });
  expect(ownOriginal('http://host', grant as never, url)).toEqual(sha);
  expect(ownOriginal('http://host', { ...grant, appId: 'other' } as never, url)).toBeUndefined();
  expect(ownOriginal('http://elsewhere', grant as never, url)).toBeUndefined();
  for (const path of [
    `/media/orig/${mediaSuffix(grant, 'image', sha)}x`,
    '/media/orig/users/a/apps/b/inputs/image/abc',
    '/media/%E0/users/a',
  ])
    expect(readMediaPath(path)).toBeUndefined();
});

test.each([
  // status, to, pending, in progress, success, failed
  [30001, 30003, -1, 1, 0, 0],
  [30003, 30000, 0, -1, 1, 0],
  [30003, 30101, 0, -1, 0, 1],
  [30001, 30002, -1, 0, 0, 1],
  [30001, undefined, -1, 0, 0, 1],
  [30003, undefined, 0, -1, 0, 1],
])('counts of an add job from %s to %s', (statusCode, to, pending, inProgress, success, failed) => {
  expect(shiftsOf([{ addJobKey: 5, statusCode, to }])).toEqual([
    { addJobKey: 5, pending, inProgress, success, failed },
  ]);
});

test('an input that is deleted after its end stays counted, and one without a job counts nowhere', () => {
  expect(
    shiftsOf([
      { addJobKey: 5, statusCode: 30000, to: undefined },
      { addJobKey: null, statusCode: 30001, to: 30003 },
    ]),
  ).toEqual([]);
});

test('slots never let more than their number run at once', async () => {
  const slots = openSlots(3);
  let running = 0;
  let most = 0;
  await Promise.all(
    Array.from({ length: 20 }, () =>
      slots(async () => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 2));
        running -= 1;
      }),
    ),
  );
  expect(most).toBe(3);
});

test('items that come while a group commits form the next group, and a failure fails its own group alone', async () => {
  const groups: number[][] = [];
  const commit = openGroups<number>(async (items) => {
    groups.push(items);
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (items.includes(0)) throw new Error('no');
  });
  const first = commit(0);
  await new Promise((resolve) => setTimeout(resolve, 1));
  const rest = Promise.all([commit(1), commit(2)]);
  await expect(first).rejects.toThrow('no');
  await rest;
  expect(groups).toEqual([[0], [1, 2]]);
});
