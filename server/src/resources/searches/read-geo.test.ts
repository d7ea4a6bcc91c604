import { expect, test } from 'vitest';
import { boxAround, earthRadiusKm } from './read-geo.ts';

const radians = (degrees: number) => (degrees * Math.PI) / 180;

/** The place at a distance and bearing from another. */
function goneFrom(latitude: number, longitude: number, km: number, bearing: number) {
  const [from, way] = [radians(latitude), km / earthRadiusKm];
  const sinTo = Math.sin(from) * Math.cos(way) + Math.cos(from) * Math.sin(way) * Math.cos(bearing);
  const turn = Math.atan2(
    Math.sin(bearing) * Math.sin(way) * Math.cos(from),
    Math.cos(way) - Math.sin(from) * sinTo,
  );
  const to = longitude + (turn * 180) / Math.PI;
  return { latitude: (Math.asin(sinTo) * 180) / Math.PI, longitude: ((to + 540) % 360) - 180 };
}

test.each([
  ['at the equator', 0, 10, 500],
  ['far north', 70, -40, 1_000],
  ['over the antimeridian', 30, 179.5, 300],
  ['over it from the other side', -45, -179.9, 300],
  ['around a pole', 88, 20, 500],
  ['half the earth', 10, 10, 15_000],
  ['a point', 52, 13, 0],
  ['next to a pole', 85, 100, 550],
])('a box around a circle %s holds all of it', (_, latitude, longitude, km) => {
  const { south, north, west, east } = boxAround({ latitude, longitude }, km);
  for (let step = 0; step < 360; step += 1) {
    const at = goneFrom(latitude, longitude, km, radians(step));
    expect(at.latitude).toBeGreaterThanOrEqual(south);
    expect(at.latitude).toBeLessThanOrEqual(north);
    const isInside =
      west <= east
        ? at.longitude >= west && at.longitude <= east
        : at.longitude >= west || at.longitude <= east;
    expect(isInside, `${step}°: ${at.longitude} in ${west}..${east}`).toBe(true);
  }
});

test('a box around a small circle is small', () => {
  const { south, north, west, east } = boxAround({ latitude: 60, longitude: 10 }, 111);
  expect(north - south).toBeLessThan(2.1);
  expect(east - west).toBeLessThan(4.1);
});
