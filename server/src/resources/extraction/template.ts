import { create } from '@bufbuild/protobuf';
import { type Data, DataSchema, type Input, InputSchema } from '@fovea/contract';
import { inputLevelTrouble } from '../annotations/index.ts';
import { packBody, unpackBody } from '../common/translate.ts';
import { extractionFault } from './faults.ts';

/** What every input of a job gets. */
export interface Template {
  readonly label: Data;
  readonly datasetIds: readonly string[];
  readonly settings: Input['settings'];
}

/** Checks a template. @returns it packed for storage. @throws Fault naming the field */
export function readTemplate(wire: Input | undefined): Buffer {
  if (!wire) return Buffer.alloc(0);
  const kinds = (['image', 'video', 'audio', 'text'] as const).filter(
    (kind) => wire.data?.[kind] !== undefined,
  );
  if (kinds.length > 0)
    throw extractionFault.invalid(
      `input_template.data holds ${kinds.join(' and ')}; the media come from the files.`,
    );
  if (wire.id !== '')
    throw extractionFault.invalid('input_template.id must be empty; ids come from the names of the files.');
  const trouble = inputLevelTrouble(wire.data);
  if (trouble) throw extractionFault.invalid(`input_template: ${trouble}`);
  return packBody(InputSchema, wire, []);
}

export const showTemplate = (packed: Buffer): Input | undefined =>
  packed.length === 0 ? undefined : unpackBody(InputSchema, packed);

export function templateOf(packed: Buffer): Template {
  const { data, datasetIds = [], settings } = showTemplate(packed) ?? {};
  return {
    label: create(DataSchema, {
      concepts: data?.concepts ?? [],
      ...(data?.metadata ? { metadata: data.metadata } : {}),
      ...(data?.geo ? { geo: data.geo } : {}),
    }),
    datasetIds: [...new Set(datasetIds)],
    settings,
  };
}
