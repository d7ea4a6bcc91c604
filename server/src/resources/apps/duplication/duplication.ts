import type { AppDuplicationFilters } from '@fovea/contract';
import { StatusCode } from '@fovea/contract';
import { Fault } from '#domain/fault.ts';

/** What can be copied, in the order in which it is: what others refer to goes first. */
export const fields = [
  'concepts',
  'models',
  'workflows',
  'inputs',
  'annotations',
  'installed_module_versions',
] as const;
export type Field = (typeof fields)[number];

export const duplicationStatus = {
  success: 25200,
  failed: 25201,
  pending: 25202,
  inProgress: 25203,
} as const;

export type Flags = Pick<
  AppDuplicationFilters,
  | 'copyInputs'
  | 'copyConcepts'
  | 'copyAnnotations'
  | 'copyModels'
  | 'copyWorkflows'
  | 'copyInstalledModuleVersions'
>;

const flagOf: Record<Field, keyof Flags> = {
  concepts: 'copyConcepts',
  models: 'copyModels',
  workflows: 'copyWorkflows',
  inputs: 'copyInputs',
  annotations: 'copyAnnotations',
  installed_module_versions: 'copyInstalledModuleVersions',
};

export const fieldsOf = (flags: Flags): Field[] => fields.filter((field) => flags[flagOf[field]]);

export const duplicationFault = {
  invalid: (details: string) => new Fault('bad_request', StatusCode.APP_DUPLICATION_INVALID_REQUEST, details),
  missing: (id: string) =>
    new Fault('not_found', StatusCode.CONN_DOES_NOT_EXIST, `You have no app duplication '${id}'.`),
} as const;

/** @throws Fault 25204 for a filter whose parts need others that it leaves out */
export function checkFlags(flags: Flags): void {
  const needs = (flag: keyof Flags, other: keyof Flags) => {
    if (flags[flag] && !flags[other])
      throw duplicationFault.invalid(`filter.${snake(flag)} needs filter.${snake(other)}, too.`);
  };
  needs('copyInputs', 'copyConcepts');
  needs('copyAnnotations', 'copyInputs');
  needs('copyAnnotations', 'copyConcepts');
  needs('copyModels', 'copyConcepts');
  if (fieldsOf(flags).length === 0)
    throw duplicationFault.invalid(
      'filter copies nothing; set at least one of its fields, or leave it out to copy all.',
    );
}

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Scopes that reading what is copied asks for, and writing it. */
export const scopesOf: Record<Field, { read: readonly string[]; write: readonly string[] }> = {
  concepts: { read: ['Concepts_Get'], write: ['Concepts_Add'] },
  models: { read: ['Models_Get'], write: ['Models_Add'] },
  workflows: { read: ['Workflows_Get'], write: ['Workflows_Add'] },
  inputs: { read: ['Inputs_Get'], write: ['Inputs_Add'] },
  annotations: { read: ['Annotations_Get'], write: ['Annotations_Add'] },
  installed_module_versions: {
    read: ['InstalledModuleVersions_Get'],
    write: ['InstalledModuleVersions_Add'],
  },
};

export interface Count {
  readonly done: number;
  readonly total: number;
}

/** How far a field is, 0 to 100; 100 only when nothing is left. */
export const percentOf = ({ done, total }: Count): number =>
  total === 0 ? 100 : Math.min(done >= total ? 100 : 99, Math.floor((100 * done) / total));
