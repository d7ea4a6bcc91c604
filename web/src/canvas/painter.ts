import { colorOf } from '../gallery/colors.ts';
import { bitsOf, boundsOf, type Mask } from './mask.ts';
import { boxOf, type Geometry, handles, namesOf, type Point, type Shape } from './shapes.ts';
import type { Size, View } from './view.ts';
import { toScreen } from './view.ts';

/** How the picture is shown; nothing of it is kept with the data. */
export interface Adjustments {
  readonly brightness: number;
  readonly contrast: number;
  readonly saturation: number;
  readonly isInverted: boolean;
}

export const plain: Adjustments = { brightness: 1, contrast: 1, saturation: 1, isInverted: false };

export interface Scene {
  readonly view: View;
  readonly shapes: readonly Shape[];
  /** Those of them that are worked out between keyframes, or held on from the last: dotted. */
  readonly dotted: ReadonlySet<string>;
  /** Suggestions of a model, dashed until they are taken. */
  readonly suggestions: readonly Shape[];
  readonly selected: ReadonlySet<string>;
  readonly hovered: string | undefined;
  /** What is being drawn. */
  readonly draft: Geometry | undefined;
  readonly draftColor: string;
  readonly brush: { readonly at: Point; readonly radius: number } | undefined;
  readonly crosshair: Point | undefined;
}

/** A mask as a picture that can be drawn at any scale; made once per mask and colour. */
const maskPictures = new WeakMap<Mask, Map<string, { canvas: OffscreenCanvas; left: number; top: number }>>();

function pictureOf(mask: Mask, color: string) {
  const byColor = maskPictures.get(mask) ?? new Map();
  maskPictures.set(mask, byColor);
  const known = byColor.get(color);
  if (known) return known;
  const bounds = boundsOf(mask);
  if (!bounds) return undefined;
  const width = bounds.right - bounds.left;
  const height = bounds.bottom - bounds.top;
  const bits = bitsOf(mask);
  const pixels = new ImageData(width, height);
  const [red, green, blue] = rgbOf(color);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (bits[(y + bounds.top) * mask.width + x + bounds.left] === 0) continue;
      pixels.data.set([red, green, blue, 255], (y * width + x) * 4);
    }
  }
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext('2d')?.putImageData(pixels, 0, 0);
  const made = { canvas, left: bounds.left, top: bounds.top };
  byColor.set(color, made);
  return made;
}

const rgbOf = (hex: string): [number, number, number] => [
  Number.parseInt(hex.slice(1, 3), 16),
  Number.parseInt(hex.slice(3, 5), 16),
  Number.parseInt(hex.slice(5, 7), 16),
];

export const shapeColor = (shape: Pick<Shape, 'concept'>): string =>
  shape.concept ? colorOf(shape.concept.id) : '#ffffff';

/** Draws the picture under the shapes: a layer of its own, drawn again only when it moves. */
export function paintPicture(
  context: CanvasRenderingContext2D,
  picture: CanvasImageSource,
  size: Size,
  view: View,
  adjustments: Adjustments,
): void {
  const { canvas } = context;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  const ratio = devicePixelRatio;
  context.setTransform(ratio * view.scale, 0, 0, ratio * view.scale, ratio * view.left, ratio * view.top);
  // Pixels are shown as such where they are large enough to be counted.
  context.imageSmoothingEnabled = view.scale < 4;
  context.filter = filterOf(adjustments);
  context.drawImage(picture, 0, 0, size.width, size.height);
  context.filter = 'none';
  if (view.scale >= 8) paintPixelGrid(context, size, view);
}

export function filterOf({ brightness, contrast, saturation, isInverted }: Adjustments): string {
  const parts = [
    brightness !== 1 && `brightness(${brightness})`,
    contrast !== 1 && `contrast(${contrast})`,
    saturation !== 1 && `saturate(${saturation})`,
    isInverted && 'invert(1)',
  ].filter(Boolean);
  return parts.join(' ') || 'none';
}

function paintPixelGrid(context: CanvasRenderingContext2D, size: Size, view: View): void {
  const { canvas } = context;
  const ratio = devicePixelRatio;
  const from = {
    x: Math.max(0, Math.floor(-view.left / view.scale)),
    y: Math.max(0, Math.floor(-view.top / view.scale)),
  };
  const to = {
    x: Math.min(size.width, Math.ceil((canvas.width / ratio - view.left) / view.scale)),
    y: Math.min(size.height, Math.ceil((canvas.height / ratio - view.top) / view.scale)),
  };
  context.beginPath();
  for (let x = from.x; x <= to.x; x++) {
    context.moveTo(x, from.y);
    context.lineTo(x, to.y);
  }
  for (let y = from.y; y <= to.y; y++) {
    context.moveTo(from.x, y);
    context.lineTo(to.x, y);
  }
  context.lineWidth = 1 / (view.scale * ratio);
  context.strokeStyle = 'rgb(128 128 128 / 35%)';
  context.stroke();
}

/** Draws everything that lies on the picture. Thousands of boxes are one path per colour, so they stay quick. */
export function paintShapes(context: CanvasRenderingContext2D, scene: Scene): void {
  const { canvas } = context;
  const ratio = devicePixelRatio;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  const { view } = scene;
  const screen = {
    left: -20,
    top: -20,
    right: canvas.width / ratio + 20,
    bottom: canvas.height / ratio + 20,
  };
  const isInView = (shape: Shape): boolean => {
    const { left, top, right, bottom } = boxOf(shape.geometry);
    const a = toScreen(view, { x: left, y: top });
    const b = toScreen(view, { x: right, y: bottom });
    return b.x >= screen.left && a.x <= screen.right && b.y >= screen.top && a.y <= screen.bottom;
  };
  const shown = scene.shapes.filter(isInView);
  const isDotted = ({ id }: Shape): boolean => scene.dotted.has(id);
  for (const [color, shapes] of Map.groupBy(
    shown.filter((shape) => !isDotted(shape)),
    shapeColor,
  ))
    paintOfOneColor(context, view, shapes, color);
  context.setLineDash([2, 4]);
  for (const shape of shown.filter(isDotted)) paintOfOneColor(context, view, [shape], shapeColor(shape));
  context.setLineDash([6, 4]);
  for (const shape of scene.suggestions)
    if (isInView(shape)) paintOfOneColor(context, view, [shape], shapeColor(shape));
  context.setLineDash([]);
  const isMarked = ({ id }: Shape): boolean => scene.selected.has(id) || id === scene.hovered;
  const marked = shown.filter(isMarked);
  for (const shape of marked) paintMarked(context, view, shape, scene.selected.has(shape.id));
  // Names of a few are a help; of hundreds they would hide the picture.
  for (const shape of shown.length <= namesMax ? shown : marked)
    paintName(context, view, shape, isMarked(shape));
  if (scene.draft) paintDraft(context, view, scene.draft, scene.draftColor);
  if (scene.crosshair) paintCrosshair(context, scene.crosshair);
  if (scene.brush) {
    context.beginPath();
    context.arc(scene.brush.at.x, scene.brush.at.y, scene.brush.radius * view.scale, 0, 2 * Math.PI);
    strokeTwice(context, '#ffffff', 1.5);
  }
}

function trace(context: CanvasRenderingContext2D, view: View, geometry: Geometry): void {
  switch (geometry.kind) {
    case 'box': {
      const { left, top, right, bottom } = geometry.box;
      const a = toScreen(view, { x: left, y: top });
      context.rect(a.x, a.y, (right - left) * view.scale, (bottom - top) * view.scale);
      return;
    }
    case 'polygon':
      for (const [i, point] of geometry.points.entries()) {
        const { x, y } = toScreen(view, point);
        if (i === 0) context.moveTo(x, y);
        else context.lineTo(x, y);
      }
      context.closePath();
      return;
    case 'point': {
      const { x, y } = toScreen(view, geometry.point);
      context.moveTo(x + 6, y);
      context.arc(x, y, 6, 0, 2 * Math.PI);
      return;
    }
    case 'mask':
  }
}

function paintMask(
  context: CanvasRenderingContext2D,
  view: View,
  mask: Mask,
  color: string,
  alpha: number,
): void {
  const found = pictureOf(mask, color);
  if (!found) return;
  const { x, y } = toScreen(view, { x: found.left, y: found.top });
  context.globalAlpha = alpha;
  context.imageSmoothingEnabled = false;
  context.drawImage(found.canvas, x, y, found.canvas.width * view.scale, found.canvas.height * view.scale);
  context.globalAlpha = 1;
}

function paintOfOneColor(
  context: CanvasRenderingContext2D,
  view: View,
  shapes: readonly Shape[],
  color: string,
): void {
  context.beginPath();
  for (const { geometry } of shapes) {
    if (geometry.kind === 'mask') paintMask(context, view, geometry.mask, color, 0.45);
    else trace(context, view, geometry);
  }
  context.fillStyle = `${color}22`;
  context.fill();
  strokeTwice(context, color, 2);
}

const namesMax = 40;

/** What a shape is said to be, and what is written there, as far as its own width goes unless it is marked. */
function paintName(context: CanvasRenderingContext2D, view: View, shape: Shape, isMarked: boolean): void {
  const name = namesOf(shape).join(' ');
  if (name === '') return;
  const { left, top, right } = boxOf(shape.geometry);
  const { x, y } = toScreen(view, { x: left, y: top });
  const room = Math.max(isMarked ? 240 : 0, (right - left) * view.scale);
  if (room < 28) return;
  context.font = '600 12px system-ui, sans-serif';
  context.textBaseline = 'middle';
  const words = shortened(context, name, room - 10);
  const width = context.measureText(words).width + 10;
  const above = y >= 19 ? y - 19 : y + 1;
  context.fillStyle = 'rgb(15 17 22 / 78%)';
  context.beginPath();
  context.roundRect(x - 1, above, width, 18, 3);
  context.fill();
  context.fillStyle = shapeColor(shape);
  context.fillRect(x - 1, above + 3, 3, 12);
  context.fillStyle = '#ffffff';
  context.fillText(words, x + 5, above + 9.5);
}

function shortened(context: CanvasRenderingContext2D, words: string, room: number): string {
  if (context.measureText(words).width <= room) return words;
  const letters = [...words];
  while (letters.length > 1 && context.measureText(`${letters.join('')}…`).width > room) letters.pop();
  return `${letters.join('')}…`;
}

/** A dark line under the coloured one: seen on any picture. */
function strokeTwice(context: CanvasRenderingContext2D, color: string, width: number): void {
  context.strokeStyle = 'rgb(0 0 0 / 55%)';
  context.lineWidth = width + 1.5;
  context.stroke();
  context.strokeStyle = color;
  context.lineWidth = width;
  context.stroke();
}

function paintMarked(context: CanvasRenderingContext2D, view: View, shape: Shape, isSelected: boolean): void {
  const { geometry } = shape;
  const color = shapeColor(shape);
  if (geometry.kind === 'mask') paintMask(context, view, geometry.mask, color, 0.7);
  context.beginPath();
  if (geometry.kind === 'mask') trace(context, view, { kind: 'box', box: boxOf(geometry) });
  else trace(context, view, geometry);
  context.fillStyle = `${color}40`;
  if (geometry.kind !== 'mask') context.fill();
  strokeTwice(context, color, 3);
  if (!isSelected || shape.isLocked) return;
  for (const corner of cornersOf(geometry)) {
    const { x, y } = toScreen(view, corner);
    context.beginPath();
    context.rect(x - 4.5, y - 4.5, 9, 9);
    context.fillStyle = '#ffffff';
    context.fill();
    context.strokeStyle = '#000000';
    context.lineWidth = 1.5;
    context.stroke();
  }
}

/** Places by which a shape is changed: corners of a box, vertices of a polygon. */
export function cornersOf(geometry: Geometry): readonly Point[] {
  if (geometry.kind === 'polygon') return geometry.points;
  if (geometry.kind !== 'box') return [];
  return handles.map(([horizontal, vertical]) => ({
    x: geometry.box[horizontal],
    y: geometry.box[vertical],
  }));
}

function paintDraft(context: CanvasRenderingContext2D, view: View, draft: Geometry, color: string): void {
  if (draft.kind === 'mask') {
    paintMask(context, view, draft.mask, color, 0.55);
    return;
  }
  context.beginPath();
  trace(context, view, draft);
  context.fillStyle = `${color}30`;
  context.fill();
  strokeTwice(context, color, 2);
  if (draft.kind !== 'polygon') return;
  for (const point of draft.points) {
    const { x, y } = toScreen(view, point);
    context.beginPath();
    context.arc(x, y, 4, 0, 2 * Math.PI);
    context.fillStyle = '#ffffff';
    context.fill();
    strokeTwice(context, color, 1.5);
  }
}

function paintCrosshair(context: CanvasRenderingContext2D, { x, y }: Point): void {
  const { canvas } = context;
  context.beginPath();
  context.moveTo(x, 0);
  context.lineTo(x, canvas.height);
  context.moveTo(0, y);
  context.lineTo(canvas.width, y);
  strokeTwice(context, 'rgb(255 255 255 / 80%)', 0.75);
}
