/** Repeatable numbers in 0..1, so that the sample is the same for everybody. Source: Mulberry32. */
export function numbersFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

export const sampleConcepts = ['sun', 'tree', 'house', 'boat', 'fish'] as const;
export type SampleConcept = (typeof sampleConcepts)[number];

export interface SamplePicture {
  readonly id: string;
  readonly concept: SampleConcept;
  readonly jpeg: Blob;
  /** Where the subject is, in fractions of the picture. */
  readonly box: {
    readonly top: number;
    readonly left: number;
    readonly bottom: number;
    readonly right: number;
  };
}

const side = { width: 384, height: 288 };

type Draw = (context: OffscreenCanvasRenderingContext2D, next: () => number) => void;

/** Subjects in a square from 0,0 to 1,1. */
const subjects: Readonly<Record<SampleConcept, Draw>> = {
  sun(context, next) {
    context.fillStyle = `hsl(${40 + next() * 20} 95% 55%)`;
    context.beginPath();
    context.arc(0.5, 0.5, 0.28, 0, 2 * Math.PI);
    context.fill();
    context.strokeStyle = context.fillStyle;
    context.lineWidth = 0.05;
    const rays = 8 + Math.floor(next() * 6);
    for (let i = 0; i < rays; i++) {
      const angle = (2 * Math.PI * i) / rays;
      context.beginPath();
      context.moveTo(0.5 + 0.34 * Math.cos(angle), 0.5 + 0.34 * Math.sin(angle));
      context.lineTo(0.5 + 0.48 * Math.cos(angle), 0.5 + 0.48 * Math.sin(angle));
      context.stroke();
    }
  },
  tree(context, next) {
    context.fillStyle = `hsl(${20 + next() * 15} 45% 28%)`;
    context.fillRect(0.43, 0.6, 0.14, 0.4);
    context.fillStyle = `hsl(${100 + next() * 40} 50% ${28 + next() * 15}%)`;
    for (const [y, half] of [
      [0.72, 0.42],
      [0.52, 0.34],
      [0.32, 0.25],
    ] as const) {
      context.beginPath();
      context.moveTo(0.5, y - 0.32);
      context.lineTo(0.5 - half, y);
      context.lineTo(0.5 + half, y);
      context.fill();
    }
  },
  house(context, next) {
    context.fillStyle = `hsl(${next() * 360} 30% ${55 + next() * 20}%)`;
    context.fillRect(0.12, 0.42, 0.76, 0.56);
    context.fillStyle = `hsl(${next() * 30} 60% 38%)`;
    context.beginPath();
    context.moveTo(0.02, 0.44);
    context.lineTo(0.5, 0.03);
    context.lineTo(0.98, 0.44);
    context.fill();
    context.fillStyle = '#3a2a1c';
    context.fillRect(0.42, 0.64, 0.18, 0.34);
    context.fillStyle = '#fdf3c0';
    context.fillRect(0.2, 0.54, 0.15, 0.15);
    context.fillRect(0.66, 0.54, 0.15, 0.15);
  },
  boat(context, next) {
    context.fillStyle = `hsl(${next() * 360} 55% 35%)`;
    context.beginPath();
    context.moveTo(0.02, 0.68);
    context.lineTo(0.98, 0.68);
    context.lineTo(0.8, 0.97);
    context.lineTo(0.2, 0.97);
    context.fill();
    context.fillStyle = '#5a3d22';
    context.fillRect(0.48, 0.05, 0.04, 0.64);
    context.fillStyle = `hsl(${next() * 360} 40% 90%)`;
    context.beginPath();
    context.moveTo(0.54, 0.08);
    context.lineTo(0.9, 0.6);
    context.lineTo(0.54, 0.6);
    context.fill();
  },
  fish(context, next) {
    context.fillStyle = `hsl(${next() * 360} 75% 55%)`;
    context.beginPath();
    context.ellipse(0.44, 0.5, 0.4, 0.24, 0, 0, 2 * Math.PI);
    context.fill();
    context.beginPath();
    context.moveTo(0.76, 0.5);
    context.lineTo(0.99, 0.28);
    context.lineTo(0.99, 0.72);
    context.fill();
    context.fillStyle = '#ffffff';
    context.beginPath();
    context.arc(0.22, 0.44, 0.06, 0, 2 * Math.PI);
    context.fill();
    context.fillStyle = '#101010';
    context.beginPath();
    context.arc(0.21, 0.44, 0.03, 0, 2 * Math.PI);
    context.fill();
  },
};

function paintBackground(context: OffscreenCanvasRenderingContext2D, next: () => number): void {
  const hue = next() * 360;
  const sky = context.createLinearGradient(0, 0, 0, side.height);
  sky.addColorStop(0, `hsl(${hue} ${20 + next() * 30}% ${65 + next() * 25}%)`);
  sky.addColorStop(1, `hsl(${hue + 40} ${20 + next() * 30}% ${45 + next() * 25}%)`);
  context.fillStyle = sky;
  context.fillRect(0, 0, side.width, side.height);
  for (let i = 0; i < 24; i++) {
    context.fillStyle = `hsl(${next() * 360} 30% 50% / ${next() * 0.15})`;
    context.beginPath();
    context.arc(next() * side.width, next() * side.height, 4 + next() * 40, 0, 2 * Math.PI);
    context.fill();
  }
}

/** One picture of one subject, somewhere in it. The number decides everything about it. */
export async function samplePicture(number: number): Promise<SamplePicture> {
  const next = numbersFrom(number * 7919 + 17);
  const concept = sampleConcepts[number % sampleConcepts.length] as SampleConcept;
  const canvas = new OffscreenCanvas(side.width, side.height);
  const context = canvas.getContext('2d') as OffscreenCanvasRenderingContext2D;
  paintBackground(context, next);
  const size = 90 + next() * 130;
  const left = 8 + next() * (side.width - size - 16);
  const top = 8 + next() * (side.height - size - 16);
  context.save();
  context.translate(left, top);
  context.scale(size, size);
  subjects[concept](context, next);
  context.restore();
  return {
    id: `${concept}-${String(number).padStart(3, '0')}`,
    concept,
    jpeg: await canvas.convertToBlob({ type: 'image/jpeg', quality: 0.88 }),
    box: {
      top: top / side.height,
      left: left / side.width,
      bottom: (top + size) / side.height,
      right: (left + size) / side.width,
    },
  };
}
