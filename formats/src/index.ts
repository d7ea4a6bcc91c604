export { detectFormat, formatNamed, formats } from './all.ts';
export { type Counts, type Inspection, inspect, sized, Tally, writeDataset } from './convert.ts';
export {
  attributesOf,
  type Fields,
  fieldsOf,
  get,
  listOf,
  numberOf,
  numbersOf,
  textField,
} from './fields.ts';
export * from './files.ts';
export type { Format, FormatId, Listing } from './format.ts';
export { coco } from './formats/coco.ts';
export { areaOfRings, boundsOfRings, cornersOfBox, outlinesOfMask } from './geometry/polygon.ts';
export {
  areaOfMask,
  bitmapOfMask,
  boundsOfMask,
  maskFromBitmap,
  maskOfPolygons,
  packCounts,
  unpackCounts,
} from './geometry/rle.ts';
export { boundsOf, type Feature, fit, type Holds, isUprightBox, type Loss } from './holds.ts';
export { listTree } from './listing.ts';
export { safePath } from './paths.ts';
export { crc32, decodePng, encodePng } from './png.ts';
export { type Problem, problemLog, type Report } from './problems.ts';
export * from './record.ts';
export { openZip, type Rereadable, ZipBroken, type ZipLimits, zipLimits } from './zip-read.ts';
export { storedZipSize, type ZipWriter, zipTo } from './zip-write.ts';
