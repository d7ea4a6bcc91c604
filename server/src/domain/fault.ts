/** What sort of trouble; the gateway alone turns it into HTTP numbers and gRPC codes. */
export type FaultKind =
  | 'bad_request'
  | 'unauthenticated'
  | 'forbidden'
  | 'not_found'
  | 'method_not_allowed'
  | 'too_large'
  | 'throttled'
  | 'busy'
  | 'unavailable'
  | 'not_implemented'
  | 'moved'
  | 'internal';

/** Something renamed: its collection, as paths name it, and its new id. */
export interface Moved {
  readonly collection: 'apps' | 'models' | 'workflows';
  readonly to: string;
}

export interface FaultOptions {
  /** Words for the log only; the caller never sees them. */
  log?: string;
  cause?: unknown;
  /** For `moved`: where the resource is now. */
  moved?: Moved;
}

/**
 * The one shape of failure. `code` is the contract's StatusCode, `details` are words for the caller that name
 * the field and the way out. Rooms throw it; only the gateway knows how it travels.
 */
export class Fault extends Error {
  readonly kind: FaultKind;
  readonly code: number;
  readonly details: string;
  readonly log: string | undefined;
  readonly moved: Moved | undefined;

  constructor(kind: FaultKind, code: number, details: string, options: FaultOptions = {}) {
    super(details, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Fault';
    this.kind = kind;
    this.code = code;
    this.details = details;
    this.log = options.log;
    this.moved = options.moved;
  }
}
