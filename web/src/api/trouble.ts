/**
 * Why a call did not do what was asked. The server's own words say what and why; `advice` is the key of a message
 * that says what to do, and the request id is how the server's log knows it.
 */
export class Trouble extends Error {
  override readonly name = 'Trouble';
  /** Key of a message. */
  readonly advice: string;
  readonly code: number;
  readonly requestId: string;
  /** Whether the words are themselves the key of a message: the server said nothing that could be shown. */
  readonly isKey: boolean;

  constructor(words: string, parts: { advice: string; code?: number; requestId?: string; isKey?: boolean }) {
    super(words);
    this.advice = parts.advice;
    this.code = parts.code ?? 0;
    this.requestId = parts.requestId ?? '';
    this.isKey = parts.isKey ?? false;
  }
}

/** Codes of the contract that the page tells apart. */
export const code = {
  ok: 10000,
  mixed: 10010,
  failure: 10020,
  notBuilt: 10040,
  throttled: 11005,
  insufficientScopes: 11007,
  keyInvalid: 11008,
  keyNotFound: 11009,
  doesNotExist: 11101,
  noCredential: 11102,
  modelTrained: 21100,
  modelTraining: 21101,
  modelUntrained: 21102,
  modelQueued: 21103,
  evaluated: 21300,
  modelExported: 21500,
  modelExporting: 21501,
  modelExportFailed: 21502,
  modelExportPending: 21503,
  inputReady: 30000,
  inputPending: 30001,
  inputInProgress: 30003,
  duplicateId: 40010,
  notIndexed: 43004,
} as const;

/** What a status says, once: descriptions and details are sometimes the same. */
export function wordsOf(
  status: { readonly description?: string; readonly details?: string } | undefined,
): string {
  const { description = '', details = '' } = status ?? {};
  if (details === '' || details.startsWith(description)) return details || description;
  return description === '' ? details : `${description}: ${details}`;
}

/** Key of the message that says what to do about a status. */
export function adviceFor(statusCode: number, http: number): string {
  switch (statusCode) {
    case code.keyInvalid:
    case code.keyNotFound:
      return 'advice.token';
    case code.insufficientScopes:
      return 'advice.scopes';
    case code.doesNotExist:
      return 'advice.gone';
    case code.throttled:
      return 'advice.throttled';
    case code.notBuilt:
      return 'advice.notBuilt';
    case code.notIndexed:
      return 'advice.notIndexed';
    default:
      break;
  }
  if (http === 413) return 'advice.tooLarge';
  return http >= 500 ? 'advice.serverFault' : 'advice.change';
}

/** Anything thrown, as a trouble that can be shown. */
export function asTrouble(thrown: unknown): Trouble {
  if (thrown instanceof Trouble) return thrown;
  return new Trouble(thrown instanceof Error ? thrown.message : String(thrown), { advice: 'advice.reload' });
}

export const wasAborted = (thrown: unknown): boolean =>
  thrown instanceof DOMException && thrown.name === 'AbortError';

export const isSignedOut = (thrown: unknown): boolean =>
  thrown instanceof Trouble &&
  ([code.keyInvalid, code.keyNotFound, code.noCredential] as number[]).includes(thrown.code);
