import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { type ModelVersion, ModelVersionSchema } from '@fovea/contract';
import { BuildTrouble } from './faults.ts';

/** The file `version.json` of an export: what a version is besides its networks. */
export interface VersionFile {
  readonly format: 'fovea-model-version';
  readonly formatVersion: 1;
  readonly typeId: string;
  readonly license: string;
  readonly description: string;
  readonly conceptIds: readonly string[];
  /** The contract's ModelVersion, as base64 of its protobuf bytes. */
  readonly body: string;
  /** The network that answers: one of the server's own, or the package beside this file. */
  readonly network:
    | { readonly kind: 'none' }
    | { readonly kind: 'package' }
    | { readonly kind: 'builtin'; readonly id: string; readonly fingerprint: string };
  /** What training made, in the file `head.bin`. */
  readonly head?: { readonly sha256: string };
}

export const versionFileName = 'version.json';
export const headFileName = 'head.bin';

export const bodyText = (body: ModelVersion): string =>
  Buffer.from(toBinary(ModelVersionSchema, body)).toString('base64');

/** @throws BuildTrouble for what is no such file */
export function readVersionFile(text: string): { file: VersionFile; body: ModelVersion } {
  try {
    const file = JSON.parse(text) as VersionFile;
    if (file.format !== 'fovea-model-version' || file.formatVersion !== 1)
      throw new Error('another format or version');
    if (!Array.isArray(file.conceptIds) || file.conceptIds.some((id) => typeof id !== 'string'))
      throw new Error('conceptIds');
    for (const key of ['typeId', 'license', 'description', 'body'] as const)
      if (typeof file[key] !== 'string') throw new Error(key);
    if (!['none', 'package', 'builtin'].includes(file.network?.kind)) throw new Error('network');
    return { file, body: fromBinary(ModelVersionSchema, Buffer.from(file.body, 'base64')) };
  } catch (error) {
    throw new BuildTrouble(
      `${versionFileName} is not what an export of this version holds (${(error as Error).message})`,
    );
  }
}
