import type { Data, OutputInfo } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import type { RunDeps } from '../deps.ts';
import type { Media } from '../media.ts';

/** What an operator is given. */
export interface OperatorCall {
  readonly data: Data;
  readonly settings: OutputInfo | undefined;
  readonly media: Media;
  readonly deps: RunDeps;
  /** The app that is worked for; undefined where nobody said, and then nothing of an app can be looked up. */
  readonly grant: AppGrant | undefined;
  readonly signal: AbortSignal | undefined;
}

/** A step that computes without a network of its own: thresholds, counters, cutters, prompts, trackers. */
export type Operator = (call: OperatorCall) => Data | Promise<Data>;

export const param = (settings: OutputInfo | undefined, name: string): unknown =>
  (settings?.params as Record<string, unknown> | undefined)?.[name];

export const textParam = (settings: OutputInfo | undefined, name: string): string => {
  const value = param(settings, name);
  return typeof value === 'string' ? value : '';
};

export const numberParam = (settings: OutputInfo | undefined, name: string, fallback: number): number => {
  const value = Number(param(settings, name) ?? fallback);
  return Number.isFinite(value) ? value : fallback;
};

export const flagParam = (settings: OutputInfo | undefined, name: string, fallback: boolean): boolean => {
  const value = param(settings, name);
  if (typeof value === 'string') return value.toLowerCase() === 'true';
  return value === undefined || value === null ? fallback : Boolean(value);
};

/** A number that must lie within bounds; what lies outside is drawn to the nearer one. */
export const boundedParam = (
  settings: OutputInfo | undefined,
  name: string,
  fallback: number,
  [min, max]: readonly [number, number],
): number => Math.min(max, Math.max(min, numberParam(settings, name, fallback)));
