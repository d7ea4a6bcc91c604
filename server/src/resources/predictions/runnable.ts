import type { AppGrant } from '#domain/grant.ts';
import type { ModelRow, VersionRow } from '../models/index.ts';

/** A model version that may predict. */
export interface Runnable {
  readonly model: ModelRow;
  readonly version: VersionRow;
}

export interface RunModelOptions {
  /** Settings of the request, for models that a service elsewhere answers for. */
  readonly params?: Readonly<Record<string, unknown>>;
  readonly onUsage?: (promptTokens: number, completionTokens: number) => void;
  readonly signal?: AbortSignal;
  readonly background?: boolean;
  /** Part of a request that was let in before, and is not turned away half-way. */
  readonly isAdmitted?: boolean;
  /** The app that is worked for: operators that look things up look there. */
  readonly grant?: AppGrant;
}
