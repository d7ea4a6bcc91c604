import { type Crop, cropped, letterboxed, letterboxOf, turned } from '../model-pixels.ts';
import { boxInPicture, inPixels, type Point, pointInPicture, squareAround } from './boxes.ts';
import { type FoundFace, faceEdge, facePointNames } from './face-boxes.ts';
import {
  ageLabels,
  ageRangeStarts,
  expressionLabels,
  faceLabels,
  genderLabels,
  type Label,
} from './labels.ts';
import {
  floatsOf,
  imageFeed,
  type ModelRun,
  type PredictedPoint,
  type PredictedRegion,
  type Prediction,
  unitLength,
  withValues,
} from './prediction.ts';

const confidenceFloor = 0.3;
const faceConfidenceMin = 0.5;
/**
 * The mesh network knows better than the detector what is no face: cats, cups and hats that the detector gave 0.5
 * to 0.75 got less than 0.02 from it, a grainy face of 40 pixels got 0.99.
 */
const meshFaceMin = 0.2;
/** Who or how old somebody is, is asked of clear faces only: weaker ones are often background. */
const clearFaceMin = 0.7;
const facesMax = 40;

const traitsEdge = 224;
const traitsMargin = 1.1;
const expressionEdge = 64;
const expressionMargin = 1.2;
const meshEdge = 192;
const meshMargin = 1.5;

interface MeshedFace extends PredictedRegion {
  mesh: PredictedPoint[];
  /** What the mesh network thinks of there being a face, 0..1. */
  meshScore: number;
}

export async function detectFaces(run: ModelRun): Promise<Prediction> {
  return { regions: await faceRegions(run, faceConfidenceMin) };
}

/** The 468 points of a face mesh for each face. */
export async function findFacePoints(run: ModelRun): Promise<Prediction> {
  const confidenceMin = run.options.confidenceMin ?? faceConfidenceMin;
  const faces = await run.once('faces', () => verifiedFaces(run));
  const regions = faces.filter((face) => face.value >= confidenceMin);
  return {
    regions: regions.map(({ mesh, meshScore: _score, ...region }) => ({ ...region, keypoints: mesh })),
  };
}

/** One descriptor of length one for each clear face; faces of one person have cosines above about 0.62. */
export async function embedFaces(run: ModelRun): Promise<Prediction> {
  return eachClearFace(run, async (region) => {
    const { descriptor } = await readTraits(run, region);
    return { ...region, embedding: unitLength(descriptor) };
  });
}

/** The age ranges of each clear face; each range's value is the sum of its years. */
export async function estimateAges(run: ModelRun): Promise<Prediction> {
  return eachClearFace(run, async (region) => {
    const { years } = await readTraits(run, region);
    const shares = ageRangeStarts.map((start, index) =>
      years.subarray(start, ageRangeStarts[index + 1] ?? years.length).reduce((sum, share) => sum + share, 0),
    );
    const ageYears = years.reduce((sum, share, year) => sum + share * year, 0);
    return { ...region, concepts: withValues(ageLabels, shares), ageYears };
  });
}

export async function estimateGenders(run: ModelRun): Promise<Prediction> {
  return eachClearFace(run, async (region) => {
    const { masculine } = await readTraits(run, region);
    return { ...region, concepts: withValues(genderLabels, [masculine, 1 - masculine]) };
  });
}

export async function readExpressions(run: ModelRun): Promise<Prediction> {
  return eachClearFace(run, async (region) => {
    const square = squareAround(inPixels(region.box, run.picture), expressionMargin);
    const feed = imageFeed(await cropped(run.picture, square, expressionEdge), expressionEdge);
    const scores = floatsOf(await run.network('face-expression', feed), 'scores');
    return { ...region, concepts: withValues(expressionLabels, scores) };
  });
}

async function eachClearFace(
  run: ModelRun,
  describe: (region: PredictedRegion) => Promise<PredictedRegion>,
): Promise<Prediction> {
  return { regions: await Promise.all((await faceRegions(run, clearFaceMin)).map(describe)) };
}

async function faceRegions(run: ModelRun, usualConfidenceMin: number): Promise<PredictedRegion[]> {
  const confidenceMin = run.options.confidenceMin ?? usualConfidenceMin;
  const faces = await run.once('faces', () => verifiedFaces(run));
  return faces
    .filter((face) => face.value >= confidenceMin)
    .map(({ mesh: _mesh, meshScore: _score, ...region }) => region);
}

async function verifiedFaces(run: ModelRun): Promise<MeshedFace[]> {
  const { picture } = run;
  const feed = imageFeed(await letterboxed(picture, faceEdge, 0), faceEdge);
  const reduction = { kind: 'faces', confidenceMin: confidenceFloor } as const;
  const found = (await run.reduced('face-boxes', feed, reduction)) as FoundFace[];
  const regions = found
    .slice(0, facesMax)
    .map((face) => showFace(face, letterboxOf(picture, faceEdge)))
    .filter(({ box }) => box.bottom > box.top && box.right > box.left);
  const meshed = await Promise.all(regions.map((region) => withMesh(run, region)));
  return meshed.filter((face) => face.meshScore >= meshFaceMin);
}

function showFace(face: FoundFace, frame: Crop): PredictedRegion {
  const [label] = faceLabels as [Label];
  return {
    box: boxInPicture(face.box, frame),
    value: face.score,
    concepts: [{ ...label, value: face.score }],
    keypoints: face.points.map((point, index) => {
      const { x, y } = pointInPicture(point, frame);
      return { name: facePointNames[index] ?? '', row: y, col: x, value: face.score };
    }),
  };
}

async function readTraits(run: ModelRun, region: PredictedRegion) {
  const square = squareAround(inPixels(region.box, run.picture), traitsMargin);
  const pixels = await turned(run.picture, square, eyeAngle(run, region), traitsEdge);
  const made = await run.network('face-traits', imageFeed(pixels, traitsEdge));
  return {
    descriptor: floatsOf(made, 'descriptor'),
    years: floatsOf(made, 'age'),
    masculine: floatsOf(made, 'gender')[0] ?? 0.5,
  };
}

/** How far the line between the eyes is turned, in degrees, clockwise on the picture. */
function eyeAngle(run: ModelRun, region: PredictedRegion): number {
  const at = (name: string): Point => {
    const point = region.keypoints?.find((one) => one.name === name);
    return { x: (point?.col ?? 0) * run.picture.width, y: (point?.row ?? 0) * run.picture.height };
  };
  // The person's right eye is on the left of the picture.
  const [left, right] = [at('right_eye'), at('left_eye')];
  return (Math.atan2(right.y - left.y, right.x - left.x) * 180) / Math.PI;
}

async function withMesh(run: ModelRun, region: PredictedRegion): Promise<MeshedFace> {
  const { picture } = run;
  const square = squareAround(inPixels(region.box, picture), meshMargin);
  const feed = imageFeed(await cropped(picture, square, meshEdge), meshEdge);
  const made = await run.network('face-mesh', feed);
  const points = floatsOf(made, 'points');
  const scale = square.width / meshEdge;
  const mesh = Array.from({ length: points.length / 3 }, (_, index) => ({
    name: `mesh_${index}`,
    row: (square.top + (points[index * 3 + 1] as number) * scale) / picture.height,
    col: (square.left + (points[index * 3] as number) * scale) / picture.width,
    value: region.value,
  }));
  return { ...region, mesh, meshScore: floatsOf(made, 'face')[0] ?? 0 };
}
