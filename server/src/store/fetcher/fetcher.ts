import { isIP } from 'node:net';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { Agent, type Dispatcher } from 'undici';
import { type AddressRules, hostName, mayReach, readAddressRules } from './addresses.ts';
import { asFetchFault, fetchFault } from './fetch-fault.ts';
import { guardedConnector, type Lookup } from './guarded-connector.ts';

export type FetcherOptions = {
  /** Host names, addresses and CIDR ranges that may be reached although they are not public. */
  allow?: readonly string[];
  /** Default 128 MiB, counted before and after decompression. */
  sizeBytesMax?: number;
  /** From the first byte sent to the last received, redirects included. Default 30,000. */
  timeoutMs?: number;
  /** Longest silence, also for connecting. Default 10,000. */
  idleTimeoutMs?: number;
  /** Default 5. */
  redirectsMax?: number;
  /** How names resolve. Default: as the system does. */
  lookup?: Lookup;
};

export type FetchOptions = {
  sizeBytesMax?: number;
  timeoutMs?: number;
  signal?: AbortSignal;
  /** Default GET. A POST follows no redirects. */
  method?: 'GET' | 'POST';
  /** Sent beside our own, and to the first origin only: a redirect elsewhere takes no credentials along. */
  headers?: Record<string, string>;
  /** Of a POST. */
  body?: string;
};

export type Fetched = { bytes: Buffer; contentType: string; finalUrl: string };

export type Opened = {
  /** Decompressed, limited in size and time; fails with a FetchFault. Must be read to its end or destroyed. */
  stream: Readable;
  /** Media type in lower case without parameters, or ''. What the host claims, not what the bytes are. */
  contentType: string;
  /** Where the redirects led. */
  finalUrl: string;
  /** As announced, or undefined. */
  sizeBytes: number | undefined;
  /** Of the last answer, with lower-case names. */
  headers: Record<string, string>;
};

export type Fetcher = {
  /** Fetches a URL that a user gave, whole. @throws FetchFault */
  fetch(url: string, options?: FetchOptions): Promise<Fetched>;
  /** As `fetch`, as a stream: for large media. */
  open(url: string, options?: FetchOptions): Promise<Opened>;
  close(): Promise<void>;
};

const redirects = [301, 302, 303, 307, 308];
const urlLengthMax = 8_192;

/**
 * The one way in which this server fetches URLs that users give.
 *
 * Only http and https, no sign-in data in the URL, no address that is not public unless allowed, each
 * redirect judged like a first URL; limits on size (also after decompression), time and silence.
 */
export function openFetcher(options: FetcherOptions = {}): Fetcher {
  const rules = readAddressRules(options.allow ?? []);
  const { idleTimeoutMs = 10_000 } = options;
  const agent = new Agent({
    connect: guardedConnector(rules, idleTimeoutMs, options.lookup),
    headersTimeout: idleTimeoutMs,
    bodyTimeout: idleTimeoutMs,
    keepAliveTimeout: 4_000,
    connections: 32,
    maxHeaderSize: 32 * 1024,
  });

  const open = async (text: string, asked: FetchOptions = {}): Promise<Opened> => {
    const { sizeBytesMax = options.sizeBytesMax ?? 128 * 1024 * 1024, signal } = asked;
    const url = readUrl(text, rules);
    const clock = new AbortController();
    const timer = setTimeout(
      () => clock.abort(fetchFault.timeout(url.hostname)),
      asked.timeoutMs ?? options.timeoutMs ?? 30_000,
    );
    const limits: Limits = { sizeBytesMax, clock: clock.signal, asked: signal, timer };
    const { method = 'GET', headers = {}, body } = asked;
    try {
      signal?.throwIfAborted();
      const request = { method, headers, body };
      const answer = await follow(agent, rules, url, options.redirectsMax ?? 5, limits, request);
      return show(answer, limits);
    } catch (error) {
      clearTimeout(timer);
      throw asFetchFault(clock.signal.aborted ? clock.signal.reason : error, url.hostname, signal);
    }
  };

  return {
    open,
    async fetch(text, asked) {
      const { stream, contentType, finalUrl } = await open(text, asked);
      const chunks: Buffer[] = [];
      for await (const chunk of stream) chunks.push(chunk as Buffer);
      return { bytes: Buffer.concat(chunks), contentType, finalUrl };
    },
    close: () => agent.destroy(),
  };
}

type Limits = {
  sizeBytesMax: number;
  clock: AbortSignal;
  asked: AbortSignal | undefined;
  timer: NodeJS.Timeout;
};

type Answer = { url: URL; response: Dispatcher.ResponseData };

/** The answer at the end of the redirects, its status checked. */
async function follow(
  agent: Agent,
  rules: AddressRules,
  first: URL,
  redirectsMax: number,
  limits: Limits,
  request: { method: 'GET' | 'POST'; headers: Record<string, string>; body: string | undefined },
): Promise<Answer> {
  let url = first;
  for (let hops = 0; hops <= redirectsMax; hops++) {
    const response = await agent.request({
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method: request.method,
      headers: { ...ownHeaders, ...(url.origin === first.origin ? request.headers : {}) },
      body: request.body ?? null,
      signal: limits.asked === undefined ? limits.clock : AbortSignal.any([limits.clock, limits.asked]),
    });
    const { statusCode, headers } = response;
    if (statusCode >= 200 && statusCode < 300) return { url, response };
    const location = headers['location'];
    if (!redirects.includes(statusCode) || typeof location !== 'string' || request.method === 'POST')
      throw fetchFault.status(url.hostname, statusCode, await startOf(response.body), plainHeaders(headers));
    drop(response.body);
    url = readUrl(location, rules, url);
  }
  throw fetchFault.redirects(redirectsMax);
}

const ownHeaders = { 'user-agent': 'Fovea', accept: '*/*', 'accept-encoding': 'gzip, br' };

const answerBytesMax = 4096;

/** The first bytes of an answer that is an error: services say there what was wrong. Broken off, what came so far. */
async function startOf(body: Dispatcher.ResponseData['body']): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      sizeBytes += chunk.length;
      if (sizeBytes >= answerBytesMax) break;
    }
  } catch {
    // The status alone says enough.
  }
  drop(body);
  return Buffer.concat(chunks).toString('utf8', 0, answerBytesMax);
}

function plainHeaders(headers: Dispatcher.ResponseData['headers']): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
}

/** Checks what can be checked before anything is sent. */
function readUrl(text: string, rules: AddressRules, base?: URL): URL {
  if (text.length > urlLengthMax)
    throw fetchFault.invalid(`The URL is longer than ${urlLengthMax} characters.`);
  const url = URL.canParse(text, base?.href) ? new URL(text, base?.href) : undefined;
  if (url === undefined) throw fetchFault.invalid('The URL cannot be read.');
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw fetchFault.invalid(`The URL must begin with http:// or https://, not ${url.protocol}`);
  }
  if (url.username !== '' || url.password !== '') {
    throw fetchFault.invalid('The URL must not contain a user name or password.');
  }
  const host = hostName(url.hostname);
  if (host === '') throw fetchFault.invalid('The URL names no host.');
  if (isIP(host) !== 0 && !mayReach(rules, host, host)) throw fetchFault.forbidden(host);
  return url;
}

function show({ url, response }: Answer, limits: Limits): Opened {
  const { headers, body } = response;
  const announced = headers['content-length'] === undefined ? undefined : Number(headers['content-length']);
  if ((announced ?? 0) > limits.sizeBytesMax) {
    drop(body);
    throw fetchFault.tooLarge(limits.sizeBytesMax);
  }
  const encoding = String(headers['content-encoding'] ?? 'identity')
    .trim()
    .toLowerCase();
  const decoder = decoders[encoding]?.();
  if (decoder === undefined && encoding !== 'identity' && encoding !== '') {
    drop(body);
    throw fetchFault.encoding(url.hostname);
  }
  return {
    stream: guard(body, decoder, url.hostname, limits),
    contentType:
      String(headers['content-type'] ?? '')
        .split(';', 1)[0]
        ?.trim()
        .toLowerCase() ?? '',
    finalUrl: url.href,
    sizeBytes: decoder === undefined ? announced : undefined,
    headers: plainHeaders(headers),
  };
}

// One layer only: a file packed several times over is either a mistake or a bomb.
const decoders: Record<string, (() => Transform) | undefined> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

/** The body under its limits. Decoders hand on small pieces, so a bomb ends at the limit and not in memory. */
function guard(body: Readable, decoder: Transform | undefined, host: string, limits: Limits): Readable {
  const limited = limit(limits.sizeBytesMax);
  const flow =
    decoder === undefined
      ? pipeline(body, limited)
      : pipeline(body, limit(limits.sizeBytesMax), decoder, limited);
  flow.catch(() => {}).finally(() => clearTimeout(limits.timer));
  const named = async function* () {
    try {
      yield* limited;
    } catch (error) {
      throw asFetchFault(limits.clock.aborted ? limits.clock.reason : error, host, limits.asked);
    }
  };
  const stream = Readable.from(named(), { objectMode: false });
  // A stream that is dropped before its first read never enters the generator.
  stream.once('close', () => limited.destroy());
  return stream;
}

function limit(sizeBytesMax: number): Transform {
  let sizeBytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sizeBytes += chunk.length;
      if (sizeBytes > sizeBytesMax) return done(fetchFault.tooLarge(sizeBytesMax));
      done(null, chunk);
    },
  });
}

/** Leaves a body that nobody wants; closing the connection is cheaper than reading it to its end. */
function drop(body: Readable): void {
  body.on('error', () => {});
  body.destroy();
}
