import { expect, test } from 'vitest';
import { fit, pan, toPicture, toScreen, zoom } from './view.ts';

const screen = { width: 800, height: 600 };
const whole = { left: 0, top: 0, right: 2000, bottom: 1000 };

test('fitting shows the whole, in the middle', () => {
  const view = fit(whole, screen);
  const corner = toScreen(view, { x: 0, y: 0 });
  const opposite = toScreen(view, { x: 2000, y: 1000 });
  expect(corner.x).toBeCloseTo(24);
  expect(opposite.x).toBeCloseTo(776);
  expect(corner.y + opposite.y).toBeCloseTo(600);
});

test('zooming leaves the place under the pointer where it is, at any scale', () => {
  let view = fit(whole, screen);
  const at = { x: 123, y: 456 };
  const before = toPicture(view, at);
  for (const factor of [1.2, 3, 0.4, 100, 0.0001, 7]) {
    view = zoom(view, factor, at);
    const after = toPicture(view, at);
    expect(after.x).toBeCloseTo(before.x, 6);
    expect(after.y).toBeCloseTo(before.y, 6);
  }
});

test('panning and the two ways between picture and screen agree', () => {
  const view = pan(fit(whole, screen), { x: 10, y: -5 });
  const there = toScreen(view, { x: 70, y: 80 });
  expect(toPicture(view, there).x).toBeCloseTo(70);
  expect(toPicture(view, there).y).toBeCloseTo(80);
});
