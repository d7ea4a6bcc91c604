/** Shortest decimal that reads back as the same 32-bit float: 0.99, not 0.9900000095367432. */
export function showFloat32(value: number): string {
  const single = Math.fround(value);
  if (Number.isInteger(single)) return Math.abs(single) < 1e21 ? String(single) : showShortest(single);
  return Number.isFinite(single) ? showShortest(single) : showNotFinite(single);
}

function showShortest(single: number): string {
  // Six digits always survive a round trip, nine always suffice; most numbers are settled at the first try.
  for (let digits = 6; digits < 9; digits++) {
    const shorter = Number(single.toPrecision(digits));
    if (Math.fround(shorter) === single) return String(shorter);
  }
  return String(Number(single.toPrecision(9)));
}

export const showDouble = (value: number): string =>
  Number.isFinite(value) ? String(value) : showNotFinite(value);

/** JSON has no such numbers; protobuf's JSON form writes them as texts. */
const showNotFinite = (value: number): string =>
  Number.isNaN(value) ? '"NaN"' : value > 0 ? '"Infinity"' : '"-Infinity"';
