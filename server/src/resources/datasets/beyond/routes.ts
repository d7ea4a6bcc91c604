import { create } from '@bufbuild/protobuf';
import { DatasetVersionSchema, type StatusCode } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { newId } from '#domain/ids.ts';
import { readPage } from '#domain/page.ts';
import { enqueue } from '#jobs/index.ts';
import { type AppRoute, type AppRouteParts, appRoutes } from '../../common/app-routes.ts';
import { commonFault } from '../../common/faults.ts';
import { status } from '../../common/status.ts';
import type { DatasetParts } from '../deps.ts';
import { datasetFault } from '../faults.ts';
import { requestOrigin, startVersion } from '../start-version.ts';
import { configOf, packVersion, type VersionRow } from '../version.ts';
import { findVersion, versionStatus } from '../version-store.ts';
import { pageOfDiff, summariseDiff } from './diff.ts';
import { workJob } from './work-jobs.ts';
import { findWork, insertWork, leaksAfter, type WorkRow, workStatus } from './work-store.ts';

export interface BeyondParts extends Pick<DatasetParts, 'db'>, AppRouteParts {}

interface Asked {
  readonly grant: AppGrant;
  readonly datasetId: string;
  /** Of the version or the work, as the path has it. */
  readonly id: string;
  readonly query: URLSearchParams;
  readonly body: Record<string, unknown>;
}

/** What Fovea offers for datasets beside the contract (docs/EXTENSIONS.md). */
export function beyondRoutes(parts: BeyondParts) {
  const { db } = parts;
  const route = (
    verb: 'GET' | 'POST',
    tail: string,
    rpcs: readonly string[],
    work: (asked: Asked) => Promise<object>,
  ): AppRoute => ({
    verb,
    tail: `/datasets/([^/]+)${tail}`,
    rpcs,
    work: ({ id, otherId, ...asked }) => work({ ...asked, datasetId: id, id: otherId }),
  });

  async function readyVersion(grant: AppGrant, datasetId: string, id: string): Promise<VersionRow> {
    const version = await findVersion(db, grant, datasetId, id);
    if (!version) throw datasetFault.missingVersion(id, datasetId);
    if (version.statusCode !== versionStatus.ready)
      throw commonFault.invalid(
        `The version '${id}' is not ready (status ${version.statusCode}); wait for ${versionStatus.ready}.`,
      );
    return version;
  }

  async function diffed({ grant, datasetId, id, query }: Asked) {
    const from = query.get('from') ?? '';
    if (from === '') throw commonFault.invalid('from is missing: the id of the version to compare with.');
    return [await readyVersion(grant, datasetId, from), await readyVersion(grant, datasetId, id)] as const;
  }

  return appRoutes(parts, 'look into its versions', [
    route('GET', '/versions/([^/]+)/diff', ['GetDatasetVersion'], async (asked) => {
      const [from, to] = await diffed(asked);
      return { from: from.id, to: to.id, ...(await summariseDiff(db, from.key, to.key)) };
    }),

    route('GET', '/versions/([^/]+)/diff/inputs', ['GetDatasetVersion', 'ListInputs'], async (asked) => {
      const [from, to] = await diffed(asked);
      const { size } = readPage({ perPage: numberIn(asked.query, 'per_page', 0) });
      const page = await pageOfDiff(db, from.key, to.key, numberIn(asked.query, 'after', -1), size);
      return {
        inputs: page.rows.map((row) => ({
          id: row.id,
          change: row.change,
          concepts_added: row.conceptsAdded,
          concepts_removed: row.conceptsRemoved,
          annotations_before: row.annotationsBefore,
          annotations_after: row.annotationsAfter,
          medium_changed: row.change === 'changed' && row.mediumChanged,
        })),
        ...(page.next === undefined ? {} : { next_after: page.next }),
      };
    }),

    /** The state before is kept as a version first: nothing that a restore changes is lost. */
    route(
      'POST',
      '/versions/([^/]+)/restore',
      [
        'PatchDatasets',
        'PostDatasetVersions',
        'PostDatasetInputs',
        'DeleteDatasetInputs',
        'PostInputs',
        'PostAnnotations',
        'DeleteAnnotations',
      ],
      async ({ grant, datasetId, id, body }) => {
        const version = await readyVersion(grant, datasetId, id);
        const labels = body.labels !== false;
        const config = configOf(version.body);
        if (labels && (config.search || config.isPredicted))
          throw commonFault.invalid(
            `The version '${id}' holds what a filter or a model chose, not all labels; send {"labels": false} to restore its inputs alone.`,
          );
        const work = {
          id: newId(),
          kind: 'restore' as const,
          datasetKey: version.datasetKey,
          versionKey: version.key,
        };
        await db.transaction(async (tx) => {
          const keeper = create(DatasetVersionSchema, {
            id: `before-restore-${work.id.slice(0, 12)}`,
            description: `The dataset before it was restored to version '${id}'.`,
          });
          const otherVersionKey = await startVersion(
            tx,
            grant,
            version.datasetKey,
            packVersion(keeper),
            requestOrigin.manual,
          );
          const key = await insertWork(tx, grant, { ...work, otherVersionKey, options: { labels } });
          await enqueue(tx, workJob(grant, key));
        });
        return { work: await shownWork(grant, datasetId, work.id) };
      },
    ),

    route(
      'POST',
      '/versions/([^/]+)/leaks',
      ['GetDatasetVersion', 'ListInputs'],
      async ({ grant, datasetId, id, body }) => {
        const version = await readyVersion(grant, datasetId, id);
        const against = (body.against ?? undefined) as
          | { dataset_id?: string; version_id?: string }
          | undefined;
        const other =
          against && (await readyVersion(grant, against.dataset_id ?? datasetId, against.version_id ?? ''));
        const scoreMin = body.score_min ?? scoreMinDefault;
        if (typeof scoreMin !== 'number' || scoreMin < 0 || scoreMin > 1)
          throw commonFault.invalid('score_min is a number from 0 (compare bytes only) to 1.');
        const workId = newId();
        await db.transaction(async (tx) => {
          const key = await insertWork(tx, grant, {
            id: workId,
            kind: 'leaks',
            datasetKey: version.datasetKey,
            versionKey: version.key,
            otherVersionKey: other?.key ?? null,
            options: { scoreMin },
          });
          await enqueue(tx, workJob(grant, key));
        });
        return { work: await shownWork(grant, datasetId, workId) };
      },
    ),

    route('GET', '/works/([^/]+)', ['GetDatasetVersion'], async ({ grant, datasetId, id }) => ({
      work: await shownWork(grant, datasetId, id),
    })),

    route(
      'GET',
      '/works/([^/]+)/leaks',
      ['GetDatasetVersion', 'ListInputs'],
      async ({ grant, datasetId, id, query }) => {
        const work = await readWork(grant, datasetId, id);
        const { size } = readPage({ perPage: numberIn(query, 'per_page', 0) });
        const [inputKey = -1, otherInputKey = -1] = (query.get('after') ?? '').split('.').map(Number);
        if (Number.isNaN(inputKey) || Number.isNaN(otherInputKey))
          throw commonFault.invalid('after is what next_after said.');
        const found = await leaksAfter(
          db,
          grant,
          work.key,
          { inputKey: query.get('after') ? inputKey : -1, otherInputKey },
          size + 1,
        );
        const page = found.slice(0, size);
        const last = page.at(-1);
        return {
          leaks: page.map((row) => ({
            kind: row.same ? 'same' : 'near',
            input: { id: row.inputId, split: row.split },
            other: { id: row.otherInputId, split: row.otherSplit },
          })),
          ...(found.length > size && last ? { next_after: `${last.inputKey}.${last.otherInputKey}` } : {}),
        };
      },
    ),
  ]);

  async function readWork(grant: AppGrant, datasetId: string, id: string): Promise<WorkRow> {
    const work = await findWork(db, grant, datasetId, id);
    if (!work) throw commonFault.missing(`work of dataset '${datasetId}'`, id);
    return work;
  }

  async function shownWork(grant: AppGrant, datasetId: string, id: string) {
    const work = await readWork(grant, datasetId, id);
    return {
      id: work.id,
      kind: work.kind,
      status: status(work.statusCode as StatusCode, work.statusDetails),
      version_id: work.versionId,
      ...(work.kind === 'restore'
        ? { kept_version_id: work.otherVersionId }
        : {
            found: work.found,
            ...(work.otherVersionId === null ? {} : { against_version_id: work.otherVersionId }),
          }),
      progress: {
        done: work.statusCode === workStatus.completed ? work.total : Math.min(work.done, work.total),
        total: work.total,
      },
    };
  }
}

/** Cosine 0.96 and more, as the search scores it: crops, scalings and re-encodings of one picture. */
const scoreMinDefault = 0.98;

function numberIn(query: URLSearchParams, name: string, whenAbsent: number): number {
  const text = query.get(name);
  if (text === null || text === '') return whenAbsent;
  if (!/^-?\d{1,15}$/.test(text)) throw commonFault.invalid(`${name} is '${text}'; send a whole number.`);
  return Number(text);
}
