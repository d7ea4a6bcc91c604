import { create } from '@bufbuild/protobuf';
import { type Duration, DurationSchema, type Timestamp, TimestampSchema } from '@bufbuild/protobuf/wkt';
import { unlike } from './trouble.ts';

const timestampText =
  /^(\d{4}-\d{2}-\d{2})(?:[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(Z|z|[+-]\d{2}:\d{2})?)?$/;
const durationText = /^(-?)(\d{1,12})(?:\.(\d{1,9}))?s$/;

const nanosOf = (digits: string | undefined): number =>
  digits === undefined ? 0 : Number(digits.padEnd(9, '0'));

// Years 1 to 9999, and ten thousand years: the ranges that protobuf gives to times and durations.
const secondsMin = -62_135_596_800;
const secondsMax = 253_402_300_799;
const durationSecondsMax = 315_576_000_000;

/** Whether a number of seconds since 1970 falls into the years that can be shown. */
export const isInCalendar = (seconds: number): boolean => seconds >= secondsMin && seconds <= secondsMax;

/** `{seconds, nanos}` as some generated clients send it instead of the canonical text. */
function readParts(value: unknown): { seconds: bigint; nanos: number } | undefined {
  if (typeof value !== 'object' || value === null || !('seconds' in value)) return undefined;
  const { seconds, nanos = 0 } = value as { seconds: unknown; nanos?: unknown };
  if (!/^-?\d{1,12}$/.test(String(seconds))) return undefined;
  if (!Number.isInteger(nanos) || Math.abs(nanos as number) > 999_999_999) return undefined;
  return { seconds: BigInt(seconds as string | number), nanos: nanos as number };
}

const within = (seconds: bigint, min: number, max: number): boolean => seconds >= min && seconds <= max;

/** RFC 3339; without an offset it means UTC, without a time midnight. @throws JsonTrouble */
export function readTimestamp(value: unknown): Timestamp {
  const parts = typeof value === 'string' ? timestampText.exec(value) : null;
  if (parts !== null) {
    const [, date, time = '00:00:00', fraction, offset = 'Z'] = parts;
    const epochMs = Date.parse(`${date}T${time}${offset.toUpperCase()}`);
    if (!Number.isNaN(epochMs)) {
      return create(TimestampSchema, { seconds: BigInt(epochMs / 1000), nanos: nanosOf(fraction) });
    }
  }
  const apart = readParts(value);
  if (apart === undefined || apart.nanos < 0 || !within(apart.seconds, secondsMin, secondsMax)) {
    throw unlike(value, 'a time like 2024-09-04T00:28:29.404495Z');
  }
  return create(TimestampSchema, apart);
}

/** Seconds with an `s`. @throws JsonTrouble */
export function readDuration(value: unknown): Duration {
  const parts = typeof value === 'string' ? durationText.exec(value) : null;
  if (parts !== null) {
    const [, sign, seconds, fraction] = parts;
    const nanos = nanosOf(fraction);
    const whole = BigInt(seconds as string);
    if (whole <= durationSecondsMax) {
      return create(
        DurationSchema,
        sign === '-' ? { seconds: -whole, nanos: -nanos } : { seconds: whole, nanos },
      );
    }
  }
  const apart = readParts(value);
  if (apart === undefined || !within(apart.seconds, -durationSecondsMax, durationSecondsMax))
    throw unlike(value, 'a duration like "12s"');
  return create(DurationSchema, apart);
}

/**
 * UTC with exactly six fractional digits: the Python client reads that form only, and loses nine digits
 * without a word (SEMANTICS, trap 9).
 */
export function showTimestamp({ seconds, nanos }: Timestamp): string {
  // Out of the calendar's range is a fault of whoever stored it, but no reason to fail a whole reply.
  if (!within(seconds, secondsMin, secondsMax)) return '1970-01-01T00:00:00.000000Z';
  const wholeSeconds = new Date(Number(seconds) * 1000);
  const micros = Math.min(999_999, Math.max(0, Math.floor(nanos / 1000)));
  return `${wholeSeconds.toISOString().slice(0, -4)}${String(micros).padStart(6, '0')}Z`;
}

/** `12s`, `1.500s`: as many fractional digits as needed, in threes. */
export function showDuration({ seconds, nanos }: Duration): string {
  const sign = seconds < 0n || nanos < 0 ? '-' : '';
  const whole = String(seconds < 0n ? -seconds : seconds);
  if (nanos === 0) return `${sign}${whole}s`;
  const digits = String(Math.abs(nanos))
    .padStart(9, '0')
    .replace(/(000){1,2}$/, '');
  return `${sign}${whole}.${digits}s`;
}
