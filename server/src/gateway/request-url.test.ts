import { expect, test } from 'vitest';
import { urlOf } from './request-url.ts';

test.each([
  ['/v2/apps?page=2', '/v2/apps?page=2'],
  ['//v2/apps', '//v2/apps'],
  ['//', '//'],
  ['http://proxy.test:80/v2/apps', '/v2/apps'],
  [undefined, '/'],
])('%s asks for the path %s', (url, path) => {
  const { pathname, search } = urlOf({ url });
  expect(pathname + search).toBe(path);
});

test('what is neither a path nor a URL is refused', () => {
  expect(() => urlOf({ url: '*' })).toThrow('names no path');
});
