import { setTimeout as sleep } from 'node:timers/promises';
import { create } from '@bufbuild/protobuf';
import {
  ComputeSourceMetadataSchema,
  type ListLogEntriesRequest,
  LogEntrySchema,
  type ServicePart,
  type StreamLogEntriesRequest,
} from '@fovea/contract';
import type { Call } from '#domain/call.ts';
import { firstPosition, type Page, readPage } from '#domain/page.ts';
import type { Deps } from '../common/deps.ts';
import { commonFault } from '../common/faults.ts';
import { logFault } from './faults.ts';
import { type Lines, openLines } from './lines.ts';
import { type LogSource, pageMeant, pathOf, sourceOf } from './log-source.ts';
import { insertLines } from './store.ts';

type Rpc = 'listLogEntries' | 'streamLogEntries' | 'postLogEntries';

const logTypes = [
  'agent',
  'builder',
  'builder.events',
  'runner',
  'runner.events',
  'pipeline.version.run',
  'training',
];
const pageSizeDefault = 32;
const entriesMax = 1000;
const messageLengthMax = 65_536;
/** How often a stream looks for new lines. */
const lookEveryMs = 500;
const streamPageSize = 500;

export function logEntryHandlers(deps: Deps): ServicePart<Call, Rpc> {
  return {
    async listLogEntries(req, call) {
      const source = readSource(req, call);
      const lines = await openLines(deps, call, source);
      const size = readPage(req, pageSizeDefault).size;
      const page: Page = { number: pageMeant(req.page, size, await lines.count()), size };
      return { logEntries: await show(call, lines, source, page), page: page.number, perPage: size };
    },

    /** What is there, then what comes, until the caller hangs up or nothing more can come. */
    async *streamLogEntries(req, call) {
      const source = readSource(req, call);
      const lines = await openLines(deps, call, source);
      for (let number = 1, sent = 0; !call.signal.aborted; ) {
        // Asked before looking: what is written between the two is seen in the last look.
        const isOpen = await lines.isOpen();
        const found = await show(call, lines, source, { number, size: streamPageSize });
        const fresh = found.slice(sent);
        if (fresh.length > 0) yield { logEntries: fresh, page: number, perPage: streamPageSize };
        if (found.length === streamPageSize) {
          number += 1;
          sent = 0;
          continue;
        }
        sent = found.length;
        if (!isOpen) return;
        await sleep(lookEveryMs, undefined, { signal: call.signal }).catch(() => {});
      }
    },

    /** All or none: one that cannot be kept refuses the others. */
    async postLogEntries(req, call) {
      if (req.logEntries.length === 0) throw logFault.noEntries();
      if (req.logEntries.length > entriesMax)
        throw commonFault.tooMany('log_entries', req.logEntries.length, entriesMax);
      const { user } = call;
      await insertLines(
        deps.db,
        user,
        req.logEntries.map(({ message, logType, meta }, index) => {
          checkType(logType);
          const named = meta?.userAppId?.userId ?? '';
          if (named !== '' && named !== 'me' && named !== user.userId) throw logFault.notYours(index, named);
          if (message.length > messageLengthMax)
            throw logFault.tooLong(index, message.length, messageLengthMax);
          return {
            source: sourceOf(logType, meta),
            message,
            meta: meta ?? create(ComputeSourceMetadataSchema),
          };
        }),
      );
      return {};
    },
  };

  async function show(call: Call, lines: Lines, source: LogSource, page: Page) {
    const base = `${deps.publicUrl(call.user)}${pathOf(source)}`;
    return (await lines.page(page)).map(({ message, meta }, index) =>
      create(LogEntrySchema, {
        message,
        logType: source.logType,
        url: `${base}?per_page=1&page=${firstPosition(page) + index + 1}`,
        meta,
      }),
    );
  }
}

function checkType(logType: string): void {
  if (!logTypes.includes(logType)) throw logFault.unknownType(logType, logTypes);
}

/** The source that a request names; whose it is was checked when the caller was let in. */
function readSource(req: ListLogEntriesRequest | StreamLogEntriesRequest, call: Call): LogSource {
  checkType(req.logType);
  const named = sourceOf(req.logType, req);
  return { ...named, userId: call.user.userId, appId: call.appIfNamed?.appId ?? named.appId };
}
