import {
  type ServicePart,
  type StatTimeAggType,
  StatusCode,
  type StatValue,
  type StatValueAggregateQuery,
} from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import type { Deps } from '../common/deps.ts';
import { commonFault } from '../common/faults.ts';
import { readTime, showTime } from '../common/translate.ts';
import { aggregateStats, insertStats, type StatQuery, type TimeBin } from './store.ts';

type Rpc = 'postStatValues' | 'postStatValuesAggregate';

const valuesMax = 1000;
const queriesMax = 100;
/** Rows of one result; a query over more has to be narrowed. */
const rowsMax = 10_000;
const tagGroupsMax = 8;

const invalid = (details: string) => commonFault.invalid(details, StatusCode.STATS_INVALID_REQUEST);

export function statValueHandlers({ db }: Deps): ServicePart<Call, Rpc> {
  return {
    /** All or none: one that cannot be kept refuses the others. */
    async postStatValues(req, call) {
      checkCount('stat_values', req.statValues.length, valuesMax);
      const made = await insertStats(db, call.app, req.statValues.map(readStat));
      return {
        statValues: made.map(({ time, value, tags }) => ({ time: showTime(time), value, tags: [...tags] })),
      };
    },

    async postStatValuesAggregate(req, call) {
      checkCount('stat_value_aggregate_queries', req.statValueAggregateQueries.length, queriesMax);
      const queries = req.statValueAggregateQueries.map(readQuery);
      const results = [];
      for (const [i, query] of queries.entries()) {
        const found = await aggregateStats(db, call.app, query, rowsMax + 1);
        if (found.length > rowsMax)
          throw invalid(
            `stat_value_aggregate_queries[${i}] has more than ${rowsMax} results; narrow its time range, or take larger bins.`,
          );
        results.push({
          statValueAggregates: found.map(({ time, value, n, tags }) => ({
            time: showTime(time),
            aggregateValue: value,
            count: BigInt(n),
            tags: [...tags],
          })),
          statValueAggregateQuery: req.statValueAggregateQueries[i] as StatValueAggregateQuery,
        });
      }
      return { statValueAggregateResults: results };
    },
  };
}

function checkCount(field: string, n: number, max: number): void {
  if (n === 0) throw invalid(`${field} is empty; send at least one.`);
  if (n > max) throw invalid(`${field} holds ${n} items; at most ${max} go into one request.`);
}

function readStat(wire: StatValue) {
  if (!Number.isFinite(wire.value)) throw invalid(`stat_values[].value is ${wire.value}; send a number.`);
  checkTags('stat_values[].tags', wire.tags);
  return {
    time: wire.time && readTime(wire.time, 'stat_values[].time'),
    value: wire.value,
    tags: [...new Set(wire.tags)],
  };
}

/** @throws Fault 40004 for a tag without its group */
function checkTags(field: string, tags: readonly string[]): void {
  const bad = tags.find((tag) => !/^[^:]+:.+$/s.test(tag));
  if (bad !== undefined)
    throw invalid(`${field} holds '${bad}'; a tag is a group, a colon and a name, such as "task_id:a".`);
}

/** StatTimeAggType, in its order; 0 is none. */
const bins: Partial<Record<StatTimeAggType, TimeBin>> = {
  1: 'year',
  2: 'month',
  3: 'week',
  4: 'day',
  5: 'hour',
  6: 'minute',
};

function readQuery(wire: StatValueAggregateQuery): StatQuery {
  checkTags('stat_value_aggregate_queries[].tags', wire.tags);
  const groups = [...new Set(wire.tagGroups)];
  const bad = groups.find((group) => group === '' || group.includes(':'));
  if (bad !== undefined)
    throw invalid(
      `stat_value_aggregate_queries[].tag_groups holds '${bad}'; name the part before the colon.`,
    );
  if (groups.length > tagGroupsMax)
    throw invalid(
      `stat_value_aggregate_queries[].tag_groups names ${groups.length} groups; at most ${tagGroupsMax} go together.`,
    );
  if (wire.statValueAggType > 1)
    throw invalid(`stat_value_agg_type is ${wire.statValueAggType}; use SUM (0) or AVG (1).`);
  const bin = bins[wire.statTimeAggType];
  if (wire.statTimeAggType !== 0 && !bin)
    throw invalid(
      `stat_time_agg_type is ${wire.statTimeAggType}; use 1 (YEAR) to 6 (MINUTE), or 0 for none.`,
    );
  return {
    tags: wire.tags,
    tagGroups: groups,
    average: wire.statValueAggType === 1,
    bin,
    from: wire.startTime && readTime(wire.startTime, 'start_time'),
    until: wire.endTime && readTime(wire.endTime, 'end_time'),
  };
}
