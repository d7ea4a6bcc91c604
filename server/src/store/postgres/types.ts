import pg from 'pg';

const { builtins } = pg.types;

/** int8 as a number while it is exact, as a bigint beyond 2^53: keys and counts stay easy, nothing is rounded. */
function readInt8(text: string): number | bigint {
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : BigInt(text);
}

const int8Array = 1016;
const readTextArray = pg.types.getTypeParser(1009 as never) as (text: string) => (string | null)[];

const parsers = new Map<number, (text: string) => unknown>([
  [builtins.INT8, readInt8],
  [int8Array, (text) => readTextArray(text).map((item) => (item === null ? null : readInt8(item)))],
  // A calendar day has no time zone; a Date would move it.
  [builtins.DATE, (text) => text],
]);

/**
 * How values come back: int8 as number (bigint beyond 2^53), jsonb parsed, bytea as Buffer, timestamptz as
 * Date (milliseconds; select it as text where microseconds matter), date and numeric as text.
 */
export const types: pg.CustomTypesConfig = {
  getTypeParser(oid: number, format?: string) {
    return (
      (format === 'binary' ? undefined : parsers.get(oid)) ?? pg.types.getTypeParser(oid, format as 'text')
    );
  },
};
