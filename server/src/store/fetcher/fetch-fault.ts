export type FetchFaultKind = 'forbidden' | 'unreachable' | 'http' | 'too_large' | 'timeout' | 'invalid';

interface FetchFaultOptions {
  status?: number;
  answer?: string;
  headers?: Record<string, string>;
  cause?: unknown;
}

/** Why a URL could not be fetched. The message is fit for the person who gave the URL. */
export class FetchFault extends Error {
  override name = 'FetchFault';
  readonly kind: FetchFaultKind;
  /** HTTP status of the last answer, for kind `http`. */
  readonly status: number | undefined;
  /** Beginning of the last answer and its headers, for kind `http`. What a stranger wrote: not for showing as it is. */
  readonly answer: string;
  readonly headers: Record<string, string>;

  constructor(kind: FetchFaultKind, message: string, options?: FetchFaultOptions) {
    super(message, { cause: options?.cause });
    this.kind = kind;
    this.status = options?.status;
    this.answer = options?.answer ?? '';
    this.headers = options?.headers ?? {};
  }
}

export const fetchFault = {
  invalid: (why: string) => new FetchFault('invalid', why),
  forbidden: (host: string) =>
    new FetchFault(
      'forbidden',
      `The host ${host} is not a public address, and the server does not allow it.`,
    ),
  tooLarge: (sizeBytesMax: number) =>
    new FetchFault('too_large', `The file has more than ${sizeBytesMax} bytes.`),
  timeout: (host: string) => new FetchFault('timeout', `The host ${host} did not deliver the file in time.`),
  status: (host: string, status: number, answer = '', headers: Record<string, string> = {}) =>
    new FetchFault('http', `The host ${host} answered with status ${status}.`, { status, answer, headers }),
  encoding: (host: string, cause?: unknown) =>
    new FetchFault('http', `The host ${host} sent the file in an encoding that cannot be read.`, { cause }),
  redirects: (redirectsMax: number) =>
    new FetchFault('http', `The URL leads through more than ${redirectsMax} redirects.`),
  unreachable: (host: string, cause: unknown) =>
    new FetchFault('unreachable', `The host ${host} could not be reached (${reasonOf(cause)}).`, { cause }),
};

/** Names an error of the connection; faults and the caller's own abort stay what they are. */
export function asFetchFault(error: unknown, host: string, signal?: AbortSignal): unknown {
  if (signal?.aborted) return signal.reason;
  for (let inner: unknown = error; inner instanceof Error; inner = inner.cause) {
    if (inner instanceof FetchFault) return inner;
  }
  const code = (error as { code?: string } | undefined)?.code ?? '';
  const name = (error as Error | undefined)?.name;
  if (/TIMEOUT|ETIMEDOUT/.test(code) || name === 'TimeoutError') return fetchFault.timeout(host);
  if (/^(Z_|ERR__|ERR_BROTLI)/.test(code)) return fetchFault.encoding(host, error);
  return fetchFault.unreachable(host, error);
}

function reasonOf(cause: unknown): string {
  const code = (cause as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : 'connection failed';
}
