import { randomUUID } from 'node:crypto';
import { pictureBytes, plannedInput } from './ingest-pictures.mjs';

const batchSize = 16;
const lanes = 4;
const deadlineMs = 30_000;
const pauseMs = 200;
// Statuses of the contract (status_code.proto): accepted in any state, and "the URL is known" or "the id is
// known", which answer the second try of an input whose first reply was lost.
const accepted = new Set([30000, 30001, 30003]);
const known = new Set([30100, 40010]);

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** What the server has acknowledged so far, as its client remembers it. */
export function openLedger() {
  return {
    /** Ids of acknowledged inputs. */
    inputs: new Set(),
    /** Add job id to the number of inputs that were accepted with it. */
    jobs: new Map(),
    repeated: 0,
    lostReplies: 0,
  };
}

/**
 * Sends inputs 0..count-1 in batches over four lanes, again and again where a reply was lost, and notes in the
 * ledger what was acknowledged.
 *
 * @throws Error when the server refuses an input for a reason of its own
 */
export async function ingest({ call, app, count, ledger, urlOf }) {
  let next = 0;
  const lane = async () => {
    while (next < count) {
      const from = next;
      next += batchSize;
      let open = Array.from({ length: Math.min(batchSize, count - from) }, (_, i) => plannedInput(from + i));
      while (open.length > 0) {
        open = await send({ call, app, ledger, urlOf }, open);
        if (open.length > 0) await sleep(pauseMs);
      }
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

/** One try. @returns the inputs that have to be sent again */
async function send({ call, app, ledger, urlOf }, planned) {
  const inputs_add_job_id = randomUUID();
  const inputs = await Promise.all(planned.map((one) => messageOf(one, urlOf)));
  let reply;
  try {
    const request = { user_app_id: app, inputs, inputs_add_job_id };
    reply = await call('PostInputs', request, { anyStatus: true, deadlineMs });
  } catch {
    ledger.lostReplies += 1;
    return planned;
  }
  const codes = planned.map((_, i) => reply.inputs[i]?.status.code);
  const again = [];
  for (const [i, one] of planned.entries()) {
    if (known.has(codes[i])) ledger.repeated += 1;
    if (known.has(codes[i]) || accepted.has(codes[i])) ledger.inputs.add(one.id);
    else if (codes[i] === undefined || codes[i] >= 90_000) again.push(one);
    else throw new Error(`${one.id} was refused: ${JSON.stringify(reply.inputs[i].status)}`);
  }
  if (codes.some((code) => accepted.has(code))) {
    ledger.jobs.set(inputs_add_job_id, codes.filter((code) => accepted.has(code)).length);
  }
  return again;
}

async function messageOf({ n, id, concept, isByUrl }, urlOf) {
  const image = isByUrl ? { url: urlOf(n) } : { base64: await pictureBytes(n) };
  return { id, data: { image, concepts: [{ id: concept, value: 1 }] } };
}
