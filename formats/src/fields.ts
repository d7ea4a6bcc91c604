import { isWhole, unpackCounts } from './geometry/rle.ts';
import type { Attributes, Keypoint, Mask, Ring, Value } from './record.ts';

/** Reading of values that came from outside: what is not of the hoped-for kind is undefined, nothing throws. */

export type Fields = Readonly<Record<string, unknown>>;

export const fieldsOf = (value: unknown): Fields | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;

export const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** Own fields only, so that no key reaches a prototype. */
export const get = (fields: Fields | undefined, key: string): unknown =>
  fields !== undefined && Object.hasOwn(fields, key) ? fields[key] : undefined;

/** Far beyond any picture; what is larger is a mistake or an attack. */
const coordinateMax = 1e7;

export function numberOf(value: unknown): number | undefined {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Math.abs(number) <= coordinateMax ? number : undefined;
}

export const textField = (value: unknown): string | undefined =>
  typeof value === 'string' ? value : typeof value === 'number' ? String(value) : undefined;

/** Sides of a picture: 1 up to 1e6. */
export function sideOf(value: unknown): number | undefined {
  const number = numberOf(value);
  return number !== undefined && Number.isInteger(number) && number > 0 && number <= 1e6 ? number : undefined;
}

/** Numbers, all of them good; undefined otherwise. */
export function numbersOf(value: unknown): number[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const numbers = value.map(numberOf);
  return numbers.every((number) => number !== undefined) ? (numbers as number[]) : undefined;
}

/** x, y, x, y … of at least three points. */
export function ringOf(value: unknown): Ring | undefined {
  const numbers = numbersOf(value);
  return numbers && numbers.length >= 6 && numbers.length % 2 === 0 ? numbers : undefined;
}

/** How sure somebody is: 0 up to 1. */
export function shareOf(value: unknown): number | undefined {
  const share = numberOf(value);
  return share !== undefined && share >= 0 && share <= 1 ? share : undefined;
}

/** A run-length mask as the COCO tools spell it: `size` (height, width) and `counts`, packed or not. */
export function maskOf(fields: Fields | undefined): Mask | undefined {
  const [height, width] = (numbersOf(get(fields, 'size')) ?? []).map(sideOf);
  const packed = get(fields, 'counts');
  const counts = typeof packed === 'string' ? unpackCounts(packed) : numbersOf(packed);
  if (!height || !width || !counts) return undefined;
  const mask = { width, height, counts };
  return isWhole(mask) ? mask : undefined;
}

/** 0 not marked, 1 hidden, 2 visible; what lies between or beside is the nearest of them. */
export const visibilityOf = (value: number): Keypoint['visibility'] =>
  Math.min(Math.max(Math.round(value), 0), 2) as Keypoint['visibility'];

/** x, y, visibility … of at least one point. */
export function keypointsOf(value: unknown): Keypoint[] | undefined {
  const numbers = numbersOf(value);
  if (!numbers || numbers.length === 0 || numbers.length % 3 !== 0) return undefined;
  return Array.from({ length: numbers.length / 3 }, (_, i) => ({
    x: numbers[3 * i] as number,
    y: numbers[3 * i + 1] as number,
    visibility: visibilityOf(numbers[3 * i + 2] as number),
  }));
}

/** Plain values stay as they are; what is nested is kept as its JSON. */
export function attributesOf(value: unknown): Attributes | undefined {
  const fields = fieldsOf(value);
  if (!fields) return undefined;
  const entries = Object.entries(fields).map(([name, one]): [string, Value] => [
    name,
    one === null || ['string', 'number', 'boolean'].includes(typeof one)
      ? (one as Value)
      : JSON.stringify(one),
  ]);
  return entries.length > 0 ? Object.fromEntries(entries) : undefined;
}

/** Text as XML and CSV hold it → the value it stood for. */
export function valueOfText(text: string): Value {
  if (text === 'true' || text === 'True') return true;
  if (text === 'false' || text === 'False') return false;
  return /^-?(0|[1-9]\d{0,14})(\.\d+)?$/.test(text) && String(Number(text)) === text ? Number(text) : text;
}
