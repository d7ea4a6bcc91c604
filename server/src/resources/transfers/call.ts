import type { Call } from '#domain/call.ts';
import { Fault } from '#domain/fault.ts';
import type { AppGrant } from '#domain/grant.ts';
import { newId } from '#domain/ids.ts';

/** A job as a caller of RPCs on one app: nothing but that app is open to it. */
export function callFor(rpc: string, grant: AppGrant, signal: AbortSignal): Call {
  const elsewhere = () =>
    Promise.reject(new Fault('forbidden', 11007, 'A transfer works on its own app alone.'));
  return {
    rpc,
    requestId: newId(),
    transport: 'rest',
    signal,
    caller: grant.caller,
    user: grant,
    app: grant,
    appIfNamed: grant,
    sent: undefined,
    appGrant: elsewhere,
    userGrant: elsewhere,
  };
}
