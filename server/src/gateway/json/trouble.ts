/**
 * Why a JSON request could not be read. The gateway answers it with 11100.
 *
 * `field` is the dotted path in proto spelling (`inputs[2].data.concepts[0].value`), '' for the whole body.
 */
export class JsonTrouble extends Error {
  readonly field: string;
  readonly got: string;
  readonly wanted: string;

  constructor(field: string, got: string, wanted: string) {
    super(`${field === '' ? 'The request body' : `Field ${field}`}: got ${got}, expected ${wanted}.`);
    this.name = 'JsonTrouble';
    this.field = field;
    this.got = got;
    this.wanted = wanted;
  }

  /** The same trouble seen from one level up. */
  under(parent: string): JsonTrouble {
    const joined =
      this.field === '' || this.field.startsWith('[') ? parent + this.field : `${parent}.${this.field}`;
    return new JsonTrouble(joined, this.got, this.wanted);
  }
}

const shownCharsMax = 40;

/** A value in a few words, short enough for a message and never the whole of an upload. */
export function describe(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  if (typeof value !== 'string') return `${typeof value} ${String(value)}`;
  const cut = value.length > shownCharsMax ? `${value.slice(0, shownCharsMax)}…` : value;
  return `the text ${JSON.stringify(cut)}`;
}

/** The trouble of a single value; callers above add the path. */
export const unlike = (value: unknown, wanted: string): JsonTrouble =>
  new JsonTrouble('', describe(value), wanted);
