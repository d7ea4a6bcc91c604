import type { StatusCode } from '@fovea/contract';

/** Why a training ends without a model: a status of the version, and words for its owner. Expected, never logged. */
export class TrainingTrouble extends Error {
  readonly code: StatusCode;

  constructor(code: StatusCode, details: string) {
    super(details);
    this.name = 'TrainingTrouble';
    this.code = code;
  }
}
