import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Annotation, StatusCode } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { readPage } from '#domain/page.ts';
import type { Database } from '#store/postgres/index.ts';
import { commonFault } from '../common/faults.ts';
import { status } from '../common/status.ts';
import type { FindInputs } from './deps.ts';
import { annotationFault } from './faults.ts';
import { type EventRow, eventsOf, type HistoryCursor, wasAnnotation } from './history-store.ts';
import { showAnnotations, showVersions } from './translate.ts';

export interface HistoryParts {
  readonly db: Database;
  readonly findInputs: FindInputs;
  /** Signs a caller in for reading the annotations of an app. @throws Fault as ListAnnotations would */
  readonly annotationsGrant: (
    header: (name: string) => string | undefined,
    userId: string,
    appId: string,
  ) => Promise<AppGrant>;
  /** An annotation as REST shows it. */
  readonly encode: (annotation: Annotation) => string;
}

const path =
  /^\/v2\/(?:users\/([^/]+)\/)?apps\/([^/]+)\/inputs\/([^/]+)\/(?:annotations\/([^/]+)\/)?history\/?$/;
const sizeDefault = 20;
const bytesMax = 32 * 1024 * 1024;

/** What happened to an input, or to one of its annotations: who, when, before, after. The last first, in keyset pages. */
export const historyRoute = (parts: HistoryParts) => ({
  verb: 'GET' as const,
  path,
  async answer(
    _request: IncomingMessage,
    response: ServerResponse,
    { url, header }: { url: URL; header: (name: string) => string | undefined },
  ) {
    const [userId, appId, inputId, annotationId] = (path.exec(url.pathname) as RegExpExecArray)
      .slice(1)
      .map((part) => part && decodeURIComponent(part)) as [string?, string?, string?, string?];
    const grant = await parts.annotationsGrant(header, userId ?? '', appId ?? '');
    // Who works on an app is for those who do, even where what they made can be seen by all.
    if (!grant.isMember) throw annotationFault.missing(annotationId ?? '', inputId ?? '');
    const { size } = readPage({ perPage: Number(url.searchParams.get('per_page')) || 0 }, sizeDefault);
    const page = await pageOf(parts, grant, inputId ?? '', {
      annotationId,
      after: readCursor(url.searchParams.get('after')),
      size,
    });
    response.writeHead(200, {
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
    });
    response.end(page);
  },
});

async function pageOf(
  { db, findInputs, encode }: HistoryParts,
  grant: AppGrant,
  inputId: string,
  {
    annotationId,
    after,
    size,
  }: { annotationId: string | undefined; after: HistoryCursor | undefined; size: number },
): Promise<string> {
  // One snapshot: what is now after must not become before while it is being read.
  return db.transaction(
    async (tx) => {
      const [input] = await findInputs(tx, grant, [inputId]);
      if (!input) throw commonFault.missing('input', inputId);
      if (annotationId !== undefined && !(await wasAnnotation(tx, grant, input.key, annotationId)))
        throw annotationFault.missing(annotationId, inputId);
      const found = await eventsOf(tx, grant, input.key, { annotationId, after, limit: size + 1 });
      const events = thatFit(found.slice(0, size));
      const past = await showVersions(
        tx,
        grant,
        events.flatMap((one) => [one.beforeVersion, one.afterVersion]).filter((one) => one !== null),
      );
      const present = await showNow(tx, grant, events);
      const written = events.map((event) => {
        const before = past.get(event.beforeVersion ?? -1);
        const current = event.afterIsNow ? present.get(event.key) : past.get(event.afterVersion ?? -1);
        return eventJson(event, before && encode(before), current && encode(current));
      });
      const last = events.length < found.length ? events.at(-1) : undefined;
      const next = last ? `,"next":${JSON.stringify(writeCursor(last))}` : '';
      return `{"status":${JSON.stringify(status(StatusCode.SUCCESS))},"events":[${written.join(',')}]${next}}`;
    },
    { isolation: 'repeatable read', readOnly: true },
  );
}

/** At least one event, and no more than what fits into memory twice: masks make single annotations large. */
function thatFit(events: readonly EventRow[]): EventRow[] {
  let bytes = 0;
  return events.filter(({ bytes: more }, i) => {
    bytes += more;
    return i === 0 || bytes <= bytesMax;
  });
}

async function showNow(
  tx: Parameters<typeof showAnnotations>[0],
  grant: AppGrant,
  events: readonly EventRow[],
) {
  const keys = events.filter(({ afterIsNow }) => afterIsNow).map(({ key }) => key);
  const shown = await showAnnotations(tx, grant, keys);
  return new Map(keys.map((key, i) => [key, shown[i] as Annotation]));
}

function eventJson(event: EventRow, before: string | undefined, after: string | undefined): string {
  const fields = {
    event: event.kind,
    at: timeOf(event.atUs),
    ...(event.userId !== null && { user_id: event.userId }),
    ...(event.annotationId !== null && { annotation_id: event.annotationId }),
    ...(event.datasetId !== null && { dataset_id: event.datasetId }),
  };
  const states = [before && `"before":${before}`, after && `"after":${after}`].filter(Boolean);
  return `${JSON.stringify(fields).slice(0, -1)}${states.map((state) => `,${state}`).join('')}}`;
}

/** RFC 3339 with microseconds, as events are ordered by them. */
const timeOf = (us: number): string =>
  `${new Date(Math.floor(us / 1000)).toISOString().slice(0, -1)}${String(us % 1000).padStart(3, '0')}Z`;

const writeCursor = ({ atUs, rank, key }: HistoryCursor): string => `${atUs}-${rank}-${key}`;

function readCursor(text: string | null): HistoryCursor | undefined {
  if (text === null) return undefined;
  const [, atUs, rank, key] = /^(\d{1,16})-([01])-(\d{1,16})$/.exec(text) ?? [];
  if (key === undefined)
    throw commonFault.invalid(`after is '${text}'; send the text of \`next\` from the page before.`);
  return { atUs: Number(atUs), rank: Number(rank), key: Number(key) };
}
