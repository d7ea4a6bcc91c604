/**
 * Places where a check can be left out or a fault provoked on purpose, so that the harnesses of `bench/` can show
 * that they would notice. None is armed unless the configuration names it; an unarmed one costs a look into an
 * empty set.
 */
export const failpointNames = [
  /** Whoever signed in first is taken to be calling each time, with the grants of that call: a bench of what sign-in costs. */
  'skip-sign-in',
  /** Anyone may reach any app as a collaborator with all scopes. */
  'skip-tenant-check',
  /** A key does whatever it asks for. */
  'skip-scope-check',
  /** Texts may hold NUL characters, which the database cannot store. */
  'skip-text-check',
] as const;

export type FailpointName = (typeof failpointNames)[number];

let armed: ReadonlySet<string> = new Set();

/** Arms exactly these; called once at the start. */
export function armFailpoints(names: readonly FailpointName[]): void {
  armed = new Set(names);
}

export const isArmed = (name: FailpointName): boolean => armed.has(name);
