import type { BoundingBox, Data, Geo, Point, Polygon, Region, RegionInfo } from '@fovea/contract';

/**
 * How far a coordinate may lie outside 0..1: float32 arithmetic of clients overshoots by a few units in the
 * seventh digit, and rounding to three digits by half a thousandth. Such values are moved to the edge.
 */
const overshootMax = 1e-3;
const regionsMax = 1;
const framesMax = 1;
const pointsMin = 3;
export const maskBytesMax = 4 * 1024 * 1024;

/** Why a place on earth cannot be stored, or undefined. Latitude -90..90, longitude -180..180. */
export function placeTrouble({ geoPoint }: Geo): string | undefined {
  if (!geoPoint) return undefined;
  const { latitude, longitude } = geoPoint;
  if (!(Math.abs(latitude) <= 90))
    return `data.geo.geo_point.latitude is ${latitude}; it goes from -90 to 90.`;
  if (!(Math.abs(longitude) <= 180))
    return `data.geo.geo_point.longitude is ${longitude}; it goes from -180 to 180.`;
  return undefined;
}

/**
 * Why the regions, frames and times of some data cannot be stored, or undefined when they can.
 * One annotation holds one region and one frame at most (SEMANTICS 5.6).
 */
export function shapeTrouble(data: Data, path = 'data'): string | undefined {
  if (data.regions.length > regionsMax) {
    return `${path}.regions holds ${data.regions.length} regions; an annotation holds one. Send one annotation per region.`;
  }
  if (data.frames.length > framesMax) {
    return `${path}.frames holds ${data.frames.length} frames; an annotation holds one. Send one annotation per frame.`;
  }
  for (const region of data.regions) {
    const trouble = regionTrouble(region, `${path}.regions[0]`);
    if (trouble) return trouble;
  }
  for (const [name, parts] of [
    ['frames', data.frames],
    ['time_segments', data.timeSegments],
    ['tracks', data.tracks],
  ] as const) {
    for (const [i, part] of parts.entries()) {
      const inside = `${path}.${name}[${i}]`;
      if ('timeInfo' in part && part.timeInfo && part.timeInfo.endTime < part.timeInfo.beginTime) {
        return `${inside}.time_info: end_time lies before begin_time.`;
      }
      const trouble = part.data && shapeTrouble(part.data, `${inside}.data`);
      if (trouble) return trouble;
    }
  }
  return data.geo && placeTrouble(data.geo);
}

function regionTrouble(region: Region, path: string): string | undefined {
  const info = region.regionInfo;
  const inside = `${path}.region_info`;
  const trouble = info && (kindsTrouble(info, inside) ?? infoTrouble(info, inside));
  return trouble ?? (region.data && shapeTrouble(region.data, `${path}.data`));
}

function kindsTrouble(info: RegionInfo, path: string): string | undefined {
  const { boundingBox, mask, polygon, point, span, token, keypointLocations } = info;
  let kinds = 0;
  for (const one of [boundingBox, mask, polygon, point, span, token, keypointLocations[0]])
    if (one !== undefined) kinds += 1;
  return kinds > 1 ? `${path} holds ${kinds} kinds of places; a region has one.` : undefined;
}

function infoTrouble(info: RegionInfo, path: string): string | undefined {
  if (info.boundingBox) return boxTrouble(info.boundingBox, `${path}.bounding_box`);
  if (info.polygon) return polygonTrouble(info.polygon, `${path}.polygon`);
  if (info.point) return pointTrouble(info.point, `${path}.point`);
  if (info.mask) return maskTrouble(info, `${path}.mask`);
  for (const [i, point] of info.keypointLocations.entries()) {
    const trouble = pointTrouble(point, `${path}.keypoint_locations[${i}]`);
    if (trouble) return trouble;
  }
  const chars = info.span ?? info.token;
  if (chars && chars.charEnd < chars.charStart) return `${path}: char_end lies before char_start.`;
  return undefined;
}

function boxTrouble(box: BoundingBox, path: string): string | undefined {
  if (isOutside(box.topRow)) return outside(`${path}.top_row`, box.topRow);
  if (isOutside(box.leftCol)) return outside(`${path}.left_col`, box.leftCol);
  if (isOutside(box.bottomRow)) return outside(`${path}.bottom_row`, box.bottomRow);
  if (isOutside(box.rightCol)) return outside(`${path}.right_col`, box.rightCol);
  if (!(clamped(box.topRow) < clamped(box.bottomRow)))
    return `${path}: top_row has to be less than bottom_row.`;
  if (!(clamped(box.leftCol) < clamped(box.rightCol)))
    return `${path}: left_col has to be less than right_col.`;
  return undefined;
}

function polygonTrouble({ points }: Polygon, path: string): string | undefined {
  if (points.length < pointsMin)
    return `${path}.points holds ${points.length} points; a polygon needs ${pointsMin}.`;
  for (const [i, point] of points.entries()) {
    const trouble = pointTrouble(point, `${path}.points[${i}]`);
    if (trouble) return trouble;
  }
  return undefined;
}

function pointTrouble({ row, col }: Point, path: string): string | undefined {
  if (isOutside(row)) return outside(`${path}.row`, row);
  return isOutside(col) ? outside(`${path}.col`, col) : undefined;
}

function maskTrouble({ mask }: RegionInfo, path: string): string | undefined {
  const image = mask?.image;
  if (!image || (image.base64.length === 0 && image.url === ''))
    return `${path}.image is empty; send its bytes as base64.`;
  if (image.base64.length > maskBytesMax) {
    return `${path}.image holds ${image.base64.length} bytes; a mask has ${maskBytesMax} at most. Send it as a PNG.`;
  }
  return undefined;
}

const isOutside = (value: number) => !(value >= -overshootMax && value <= 1 + overshootMax);
const outside = (path: string, value: number) =>
  `${path} is ${value}; coordinates go from 0 to 1 of the picture.`;
const clamped = (value: number): number => Math.min(1, Math.max(0, value));
const isInside = (value: number): boolean => value >= 0 && value <= 1;
const clampedPoint = (point: Point): Point =>
  isInside(point.row) && isInside(point.col)
    ? point
    : { ...point, row: clamped(point.row), col: clamped(point.col) };
const clampedBox = (box: BoundingBox): BoundingBox =>
  isInside(box.topRow) && isInside(box.leftCol) && isInside(box.bottomRow) && isInside(box.rightCol)
    ? box
    : {
        ...box,
        topRow: clamped(box.topRow),
        leftCol: clamped(box.leftCol),
        bottomRow: clamped(box.bottomRow),
        rightCol: clamped(box.rightCol),
      };

/**
 * The same data with every coordinate inside 0..1 and an id for every region, segment and track. Nothing that is sent
 * is changed, and what is right as it is comes back itself: of a million boxes hardly one has to be copied.
 */
export function settleShape(data: Data, makeId: () => string): Data {
  const inside = <P extends { data?: Data | undefined }>(part: P): P => {
    const settled = part.data && settleShape(part.data, makeId);
    return settled === part.data ? part : { ...part, data: settled };
  };
  const named = <P extends { id: string; data?: Data | undefined }>(part: P): P => {
    const settled = inside(part);
    return settled.id ? settled : { ...settled, id: makeId() };
  };
  const placed = (region: Region): Region => {
    const settled = named(region);
    const info = settled.regionInfo && clampedInfo(settled.regionInfo);
    return info === settled.regionInfo ? settled : { ...settled, regionInfo: info };
  };
  const regions = mapped(data.regions, placed);
  const frames = mapped(data.frames, inside);
  const timeSegments = mapped(data.timeSegments, named);
  const tracks = mapped(data.tracks, named);
  return regions === data.regions &&
    frames === data.frames &&
    timeSegments === data.timeSegments &&
    tracks === data.tracks
    ? data
    : { ...data, regions, frames, timeSegments, tracks };
}

/** As `map`; the list itself where no part becomes another. */
function mapped<P>(parts: P[], change: (part: P) => P): P[] {
  let changed: P[] | undefined;
  for (const [i, part] of parts.entries()) {
    const next = change(part);
    if (next === part && !changed) continue;
    changed ??= parts.slice();
    changed[i] = next;
  }
  return changed ?? parts;
}

function clampedInfo(info: RegionInfo): RegionInfo {
  const boundingBox = info.boundingBox && clampedBox(info.boundingBox);
  const points = info.polygon && mapped(info.polygon.points, clampedPoint);
  const polygon =
    info.polygon && points !== info.polygon.points ? { ...info.polygon, points: points ?? [] } : info.polygon;
  const point = info.point && clampedPoint(info.point);
  const keypointLocations = mapped(info.keypointLocations, clampedPoint);
  return boundingBox === info.boundingBox &&
    polygon === info.polygon &&
    point === info.point &&
    keypointLocations === info.keypointLocations
    ? info
    : { ...info, boundingBox, polygon, point, keypointLocations };
}
