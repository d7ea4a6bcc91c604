import type { IncomingMessage, ServerResponse } from 'node:http';
import { StatusCode } from '@fovea/contract';
import type { AppGrant } from '#domain/grant.ts';
import { commonFault } from '../common/faults.ts';
import type { EvaluationDeps } from './deps.ts';
import type { EvaluationRow } from './evaluation.ts';
import { evaluationFault } from './faults.ts';
import { findEvaluation } from './store.ts';
import { type Outcome, outcomes, type TracedInput, type TraceFilter, tracedInputs } from './trace-store.ts';

type HeaderOf = (name: string) => string | undefined;

export interface TraceRouteParts extends Pick<EvaluationDeps, 'db' | 'showInputs' | 'jobGrant'> {
  /** Signs a caller in for reading the evaluations of an app. @throws Fault as GetEvaluation would */
  readonly evaluationGrant: (header: HeaderOf, userId: string, appId: string) => Promise<AppGrant>;
}

const perPageDefault = 128;
const perPageMax = 1_000;
const path = /^\/v2\/ext\/fovea\/users\/([^/]+)\/apps\/([^/]+)\/evaluations\/([^/]+)\/(inputs|numbers)$/;

/**
 * What the contract has no message for: the inputs behind a cell of the confusion matrix or a point of a curve,
 * and the figures that EvalMetrics has no field for (docs/EXTENSIONS.md).
 */
export const evaluationRoutes = (parts: TraceRouteParts) => [
  {
    verb: 'GET' as const,
    path,
    async answer(
      _request: IncomingMessage,
      response: ServerResponse,
      { url, header }: { url: URL; header: HeaderOf },
    ): Promise<void> {
      const [, userId = '', appId = '', id = '', what] = path.exec(url.pathname) ?? [];
      const [user, app, evaluationId] = [userId, appId, id].map(decodeURIComponent) as [
        string,
        string,
        string,
      ];
      const grant = await parts.evaluationGrant(header, user, app);
      // The pictures of a public app are for its members alone.
      if (!grant.isMember) throw commonFault.membersOnly('look behind its evaluations');
      const evaluation = await findEvaluation(parts.db, grant, evaluationId);
      if (!evaluation) throw evaluationFault.missing(evaluationId);
      const body =
        what === 'numbers'
          ? { numbers: evaluation.numbers ?? {} }
          : await inputsBehind(parts, evaluation, url.searchParams);
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ status: { code: StatusCode.SUCCESS, description: 'Ok' }, ...body }));
    },
  },
];

async function inputsBehind(parts: TraceRouteParts, evaluation: EvaluationRow, query: URLSearchParams) {
  const filter = readFilter(evaluation, query);
  const perPage = Math.min(perPageMax, wholeNumber(query, 'per_page') || perPageDefault);
  const found = await tracedInputs(
    parts.db,
    evaluation,
    filter,
    wholeNumber(query, 'from') ?? 0,
    perPage + 1,
  );
  const page = found.slice(0, perPage);
  const data = await parts.jobGrant(evaluation.dataAppKey);
  const inputs = data
    ? await parts.showInputs(
        data,
        page.map(({ inputKey }) => inputKey),
      )
    : [];
  const urls = new Map(inputs.map(({ id, data }) => [id, data?.image?.url ?? data?.video?.url ?? '']));
  const next = found[perPage]?.position;
  return {
    inputs: page.map((row) => shown(row, evaluation.conceptIds, filter, urls.get(row.inputId) ?? '')),
    ...(next === undefined ? {} : { next_from: next }),
  };
}

function shown(row: TracedInput, conceptIds: readonly string[], filter: TraceFilter, url: string) {
  const { scores, matches } = row;
  const total = scores?.reduce((sum, value) => sum + value, 0) ?? 0;
  const at = (id: string) => scores?.[conceptIds.indexOf(id)] ?? 0;
  return {
    id: row.inputId,
    ...(url ? { url } : {}),
    actual: row.positive,
    ...(scores ? { predicted: Object.fromEntries(conceptIds.map((id, i) => [id, scores[i] ?? 0])) } : {}),
    // What this input adds to the cell: its mean over all inputs of the row is the cell's value.
    ...(filter.kind === 'cell'
      ? { share: total > 0 ? at(filter.predicted) / total : 1 / conceptIds.length }
      : {}),
    ...(matches
      ? {
          matches: matches.filter(({ concept }) => filter.kind !== 'threshold' || concept === filter.concept),
        }
      : {}),
    ...(row.trouble ? { trouble: row.trouble } : {}),
  };
}

function readFilter({ conceptIds }: EvaluationRow, query: URLSearchParams): TraceFilter {
  const known = (name: string): string => {
    const id = query.get(name) ?? '';
    if (conceptIds.includes(id)) return id;
    throw commonFault.invalid(`${name} is '${id}', which is none of the judged concepts.`);
  };
  if (query.has('actual') || query.has('predicted'))
    return { kind: 'cell', actual: known('actual'), predicted: known('predicted') };
  if (!query.has('concept')) return { kind: 'all' };
  const threshold = Number(query.get('threshold') ?? 0.5);
  if (!(threshold >= 0 && threshold <= 1))
    throw commonFault.invalid(`threshold is '${query.get('threshold')}'; use 0 to 1.`);
  const outcome = query.get('outcome') ?? undefined;
  if (outcome !== undefined && !(outcomes as readonly string[]).includes(outcome))
    throw commonFault.invalid(`outcome is '${outcome}'; use one of ${outcomes.join(', ')}.`);
  return { kind: 'threshold', concept: known('concept'), threshold, outcome: outcome as Outcome | undefined };
}

function wholeNumber(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  const number = Number(text);
  if (!Number.isInteger(number) || number < 0 || number > 2_147_483_647)
    throw commonFault.invalid(`${name} is '${text}'; use a whole number.`);
  return number;
}
