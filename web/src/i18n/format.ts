import { currentLanguage } from './index.ts';

/** Numbers, dates and sizes as the language of the page writes them. */
export const formatNumber = (value: number, options?: Intl.NumberFormatOptions): string =>
  new Intl.NumberFormat(currentLanguage(), options).format(value);

export const formatPercent = (fraction: number, digits = 1): string =>
  formatNumber(fraction, { style: 'percent', maximumFractionDigits: digits });

/** @param timeStyle `medium` says seconds, too */
export function formatDate(when: string | Date | undefined, timeStyle: 'short' | 'medium' = 'short'): string {
  if (!when) return '';
  const date = new Date(when);
  // Addresses are written by anybody: what is no time stands as it is.
  if (Number.isNaN(date.getTime())) return String(when);
  return new Intl.DateTimeFormat(currentLanguage(), { dateStyle: 'medium', timeStyle }).format(date);
}

const steps: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
];

/** "3 minutes ago". */
export function formatAgo(when: string | undefined, nowMs = Date.now()): string {
  if (!when) return '';
  const seconds = (new Date(when).getTime() - nowMs) / 1000;
  if (Number.isNaN(seconds)) return when;
  const [unit, size] = steps.find(([, size]) => Math.abs(seconds) >= size) ?? ['second', 1];
  return new Intl.RelativeTimeFormat(currentLanguage(), { numeric: 'auto' }).format(
    Math.round(seconds / size),
    unit,
  );
}

/** "3 minutes", in the unit that fits. */
export function formatLength(seconds: number): string {
  const [unit, size] = steps.find(([, size]) => seconds >= size) ?? ['second', 1];
  return formatNumber(Math.max(1, Math.round(seconds / size)), {
    style: 'unit',
    unit,
    unitDisplay: 'long',
  });
}

const sizeUnits = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const;

export function formatBytes(bytes: number): string {
  const power = Math.min(sizeUnits.length - 1, bytes > 0 ? Math.floor(Math.log10(bytes) / 3) : 0);
  return formatNumber(bytes / 1000 ** power, {
    style: 'unit',
    unit: sizeUnits[power] ?? 'byte',
    unitDisplay: 'short',
    maximumFractionDigits: 1,
  });
}
