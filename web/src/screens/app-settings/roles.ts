/** What people are trusted with, in words instead of scopes. */
export const roles = ['look', 'label', 'all'] as const;
export type Role = (typeof roles)[number];

const look = [
  'Apps_Get',
  'Inputs_Get',
  'Annotations_Get',
  'Concepts_Get',
  'Datasets_Get',
  'Models_Get',
  'Workflows_Get',
  'Search',
  'Predict',
];
const label = [
  ...look,
  'Annotations_Add',
  'Annotations_Patch',
  'Annotations_Delete',
  'Concepts_Add',
  'Inputs_Add',
  'Inputs_Patch',
];

const scopes: Readonly<Record<Role, readonly string[]>> = { look, label, all: ['All'] };

export const scopesOf = (role: Role): readonly string[] => scopes[role];

/** The role that a list of scopes comes nearest to, without promising more than it holds. */
export function roleOf(held: readonly string[]): Role | undefined {
  if (held.includes('All')) return 'all';
  return (['label', 'look'] as const).find((role) => scopes[role].every((scope) => held.includes(scope)));
}
