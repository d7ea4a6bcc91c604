import { parentPort } from 'node:worker_threads';
import { toBinary } from '@bufbuild/protobuf';
import { JsonTrouble, parseJson } from '../json/index.ts';
import type { LargeAnswer, LargeQuestion } from './large-body.ts';
import { matchRoute, requestFrom } from './router.ts';

/** Thread that reads large JSON bodies; see large-body.ts. Answers in the order it is asked. */
function answer({ id, verb, path, query, bytes, wantsSent }: LargeQuestion): LargeAnswer {
  try {
    const match = matchRoute(verb, path);
    if (match === undefined || 'allowed' in match) throw new Error(`${verb} ${path} is no route`);
    const { rule, message, sent } = requestFrom(match, query, parseJson(bytes));
    const binary = toBinary(rule.desc.input, message as never);
    return { id, rpc: rule.name, binary, sent: wantsSent ? sent : undefined };
  } catch (thrown) {
    if (thrown instanceof JsonTrouble)
      return { id, trouble: { field: thrown.field, got: thrown.got, wanted: thrown.wanted } };
    return { id, failure: String(thrown) };
  }
}

parentPort?.on('message', (question: LargeQuestion) => {
  const reply = answer(question);
  // The encoder may hand out a view of a larger buffer; only a buffer of its own can be given away.
  const whole = reply.binary !== undefined && reply.binary.byteLength === reply.binary.buffer.byteLength;
  parentPort?.postMessage(reply, whole ? [reply.binary?.buffer as ArrayBuffer] : []);
});
