/** The parts of the contract's JSON that the page reads. Names are as they travel. */
export interface Status {
  readonly code: number;
  readonly description?: string;
  readonly details?: string;
  readonly req_id?: string;
  readonly percent_completed?: number;
}

export interface Concept {
  readonly id: string;
  readonly name?: string;
  readonly value?: number;
  readonly app_id?: string;
}

export interface Hosted {
  readonly prefix: string;
  readonly suffix: string;
  readonly sizes?: readonly string[];
}

export interface BoundingBox {
  readonly top_row: number;
  readonly left_col: number;
  readonly bottom_row: number;
  readonly right_col: number;
}

export interface Region {
  readonly id?: string;
  readonly value?: number;
  readonly region_info?: {
    readonly bounding_box?: BoundingBox;
    readonly keypoint_locations?: readonly { row?: number; col?: number }[];
  };
  readonly data?: { readonly concepts?: readonly Concept[] };
}

export interface Color {
  readonly raw_hex?: string;
  readonly w3c?: { readonly hex?: string; readonly name?: string };
  readonly value?: number;
}

export interface Data {
  readonly image?: {
    readonly url?: string;
    readonly hosted?: Hosted;
    readonly image_info?: { readonly width?: number; readonly height?: number };
  };
  readonly text?: { readonly raw?: string };
  readonly concepts?: readonly Concept[];
  readonly regions?: readonly Region[];
  readonly colors?: readonly Color[];
  readonly embeddings?: readonly { readonly vector?: readonly number[]; readonly num_dimensions?: number }[];
  readonly metadata?: Readonly<Record<string, unknown>>;
}

export interface Input {
  readonly id: string;
  readonly data?: Data;
  readonly created_at?: string;
  readonly status?: Status;
}

export interface App {
  readonly id: string;
  readonly user_id?: string;
  readonly name?: string;
  readonly description?: string;
  readonly default_workflow?: { readonly id?: string };
}

export interface ModelVersion {
  readonly id: string;
  readonly status?: Status;
  readonly created_at?: string;
  readonly completed_at?: string;
  readonly active_concept_count?: number;
  readonly metrics?: { readonly status?: Status; readonly summary?: Readonly<Record<string, number>> };
  readonly train_log?: string;
  readonly output_info?: { readonly data?: { readonly concepts?: readonly Concept[] } };
  readonly description?: string;
}

export interface Model {
  readonly id: string;
  readonly name?: string;
  readonly app_id?: string;
  readonly user_id?: string;
  readonly model_type_id?: string;
  readonly description?: string;
  readonly notes?: string;
  readonly model_version?: ModelVersion;
  readonly created_at?: string;
}

export interface ConceptCount {
  readonly id: string;
  readonly name?: string;
  readonly concept_type_count?: { readonly positive?: number; readonly negative?: number };
}

export interface Output {
  readonly id?: string;
  readonly status?: Status;
  readonly data?: Data;
}

/** Codes of the contract that the page tells apart. */
export const code = {
  ok: 10000,
  mixed: 10010,
  failure: 10020,
  insufficientScopes: 11007,
  keyInvalid: 11008,
  keyNotFound: 11009,
  doesNotExist: 11101,
  notBuilt: 10040,
  throttled: 11005,
  modelTrained: 21100,
  modelTraining: 21101,
  modelUntrained: 21102,
  modelQueued: 21103,
  evaluated: 21300,
  inputReady: 30000,
  inputPending: 30001,
  inputInProgress: 30003,
  duplicateId: 40010,
  notIndexed: 43004,
} as const;

/** What a status says, once: descriptions and details are sometimes the same. */
export function wordsOf(status: Status | undefined): string {
  const { description = '', details = '' } = status ?? {};
  if (details === '' || details.startsWith(description)) return details || description;
  return description === '' ? details : `${description}: ${details}`;
}

export type InputState = 'ready' | 'pending' | 'processing' | 'failed';

/** How far the server is with an input. */
export function stateOf(status: Status | undefined): InputState {
  switch (status?.code) {
    case undefined:
    case 0:
    case code.inputReady:
      return 'ready';
    case code.inputPending:
      return 'pending';
    case code.inputInProgress:
      return 'processing';
    default:
      return 'failed';
  }
}

/** Path of a hosted picture on this very server, whatever address the server believes it has. */
export function mediaPath(
  hosted: Hosted | undefined,
  size: 'small' | 'large' | 'tiny' | 'orig',
): string | undefined {
  if (!hosted?.prefix || !hosted.suffix) return undefined;
  const fits = hosted.sizes?.includes(size) ?? true;
  return `${new URL(hosted.prefix, location.origin).pathname.replace(/\/$/, '')}/${fits ? size : 'orig'}/${hosted.suffix}`;
}

/** What to call a picture: the name of its file where known. */
export function nameOf(input: Input): string {
  const filename = input.data?.metadata?.['filename'];
  return typeof filename === 'string' && filename !== '' ? filename : input.id;
}

export const conceptName = (concept: Concept): string => concept.name || concept.id;
