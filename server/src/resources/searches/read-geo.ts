import type { Geo } from '@fovea/contract';
import { searchFault } from './faults.ts';
import type { GeoTerm, Place } from './query.ts';

const kmPerMile = 1.609344;
/** Mean radius of the earth (IUGG). */
export const earthRadiusKm = 6371.0088;

export function readGeo(geo: Geo): { geo?: GeoTerm } {
  const corners = geo.geoBox.flatMap((corner) => (corner.geoPoint ? [corner.geoPoint] : []));
  if (corners.length > 0) {
    const [a, b] = corners;
    if (!a || !b || corners.length !== 2)
      throw searchFault.invalid('data.geo.geo_box needs two corner points.');
    return { geo: boxOf(readPlace(a, 360), readPlace(b, 360)) };
  }
  if (!geo.geoPoint) return {};
  if (!geo.geoLimit)
    throw searchFault.invalid('data.geo.geo_point needs a geo_limit {type, value} beside it.');
  const centre = readPlace(geo.geoPoint, 180);
  return { geo: { kind: 'circle', centre, radiusKm: radiusOf(geo.geoLimit) } };
}

/**
 * The box between two corners, which may come in any order. Across the antimeridian it goes where the numbers do
 * (170 to 190), or where they lie more than half the earth apart and the first is the greater (170, then -170).
 */
function boxOf(a: Place, b: Place): GeoTerm {
  const isAcross = a.longitude - b.longitude > 180 && a.longitude <= 180 && b.longitude >= -180;
  const [west, east] = isAcross
    ? [a.longitude, b.longitude + 360]
    : [Math.min(a.longitude, b.longitude), Math.max(a.longitude, b.longitude)];
  const [south, north] = [Math.min(a.latitude, b.latitude), Math.max(a.latitude, b.latitude)];
  if (east - west >= 360) return { kind: 'box', south, north, west: -180, east: 180 };
  return { kind: 'box', south, north, west: onEarth(west), east: onEarth(east) };
}

/** Degrees; where `west` is the greater, the box crosses the antimeridian. */
export interface Box {
  readonly south: number;
  readonly north: number;
  readonly west: number;
  readonly east: number;
}

/** Degrees by which a box is wider than it has to be, so that rounding leaves nothing out. */
const slack = 0.01;
const degreesPerRadian = 180 / Math.PI;

/** A box that holds a circle on the sphere; all the way round where the circle holds a pole. */
export function boxAround({ latitude, longitude }: Place, radiusKm: number): Box {
  const radius = radiusKm / earthRadiusKm;
  const high = radius * degreesPerRadian + slack;
  const [south, north] = [latitude - high, latitude + high];
  const round = { south, north, west: -180, east: 180 };
  if (south <= -90 || north >= 90) return round;
  const wide = Math.asin(Math.sin(radius) / Math.cos(latitude / degreesPerRadian)) * degreesPerRadian + slack;
  if (!(wide < 180)) return round;
  return { south, north, west: onEarth(longitude - wide), east: onEarth(longitude + wide) };
}

/** The same meridian as a number from -180 to 180. */
function onEarth(longitude: number): number {
  if (longitude > 180) return longitude - 360;
  return longitude < -180 ? longitude + 360 : longitude;
}

function readPlace({ latitude, longitude }: Place, longitudeMax: number): Place {
  if (!(Math.abs(latitude) <= 90 && Math.abs(longitude) <= longitudeMax))
    throw searchFault.invalid(`data.geo: latitude ${latitude}, longitude ${longitude} is no place on earth.`);
  return { latitude, longitude };
}

function radiusOf({ type, value }: { type: string; value: number }): number {
  const kmPerUnit = new Map([
    ['withinMiles', kmPerMile],
    ['withinKilometers', 1],
    ['withinDegrees', (earthRadiusKm * Math.PI) / 180],
    ['withinRadians', earthRadiusKm],
  ]);
  const km = kmPerUnit.get(type);
  if (km === undefined)
    throw searchFault.invalid(
      `data.geo.geo_limit.type is '${type}'; use ${[...kmPerUnit.keys()].join(', ')}.`,
    );
  if (!(value >= 0 && Number.isFinite(value)))
    throw searchFault.invalid(`data.geo.geo_limit.value is ${value}; it is a distance, 0 or more.`);
  return value * km;
}
