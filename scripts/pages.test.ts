import { expect, test } from 'vitest';
import { pages, refresh } from './lib/pages.mjs';

// Outside CI a page that is out of date is written anew, so that its change is there to be looked at and committed.
test.each(Object.keys(pages) as (keyof typeof pages)[])('%s says what the code says', async (path) => {
  const current = await refresh(path, { write: !process.env.CI });
  expect(
    current,
    `${path} was out of date; "npm run docs" writes it, and the change belongs in the commit`,
  ).toBe(true);
});
