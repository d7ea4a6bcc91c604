/**
 * A number that prints as the shortest decimal which reads back as the same 32-bit float: 0.99, not
 * 0.9900000095367432. What JSON has no number for becomes a text, as in protobuf's JSON form.
 */
export function showFloat32(value: number): number | string {
  const single = Math.fround(value);
  if (Number.isInteger(single) && Math.abs(single) < 2 ** 24) return single;
  return Number.isFinite(single) ? shortest(single) : String(single);
}

/**
 * The double that prints as the shortest decimal of a float. Six digits survive any round trip and nine always
 * suffice. Where powers of ten are exact, rounding is done by arithmetic: five times faster than `toPrecision`
 * (an embedding has hundreds of these), and each candidate is checked, so a rounding slip only costs a digit.
 */
function shortest(single: number): number {
  const size = Math.abs(single);
  if (size < 1e-6 || size > 1e5) return shortestByText(single);
  const exponent = Math.floor(Math.log10(size));
  for (let digits = 6; digits <= 9; digits++) {
    const scale = powersOfTen[digits - 1 - exponent] as number;
    const candidate = Math.round(single * scale) / scale;
    if (Math.fround(candidate) === single) return candidate;
  }
  return shortestByText(single);
}

const powersOfTen = Array.from({ length: 23 }, (_, power) => 10 ** power);

function shortestByText(single: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const candidate = Number(single.toPrecision(digits));
    if (Math.fround(candidate) === single) return candidate;
  }
  return Number(single.toPrecision(9));
}

export const showDouble = (value: number): number | string =>
  Number.isFinite(value) ? value : String(value);
