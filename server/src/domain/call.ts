import { Fault } from './fault.ts';
import type { AppGrant, Caller, UserGrant } from './grant.ts';
import { newId } from './ids.ts';

/**
 * What a handler gets beside its request. Sign-in, scopes and tenancy were checked before the handler ran;
 * the grants are the proof.
 */
export interface Call {
  /** Name of the RPC as the contract names it. */
  readonly rpc: string;
  readonly requestId: string;
  readonly transport: 'grpc' | 'grpc-web' | 'rest';
  /** Aborts when the caller hangs up. */
  readonly signal: AbortSignal;
  readonly caller: Caller;
  /** The user the call is about: the one named, else the caller. Throws for calls that need no sign-in. */
  readonly user: UserGrant;
  /** The app the call is about. Throws the contract's fault when none was named and the key implies none. */
  readonly app: AppGrant;
  /** The app, where the call may also be about all apps of a user (ListModels, ListWorkflows …). */
  readonly appIfNamed: AppGrant | undefined;
  /** The JSON body as it was sent, keys in proto spelling; undefined over gRPC. PATCH reads presence from it. */
  readonly sent: Record<string, unknown> | undefined;
  /** A grant on another app for the same caller: its own, shared with it, or public. Throws when it may not look there. */
  appGrant(userId: string, appId: string): Promise<AppGrant>;
  /** A grant to look at a public app as any stranger may, also for keys that open one app alone. Throws where it is not public. */
  publicGrant(userId: string, appId: string): Promise<AppGrant>;
  /** Another user for the same caller; public role unless it is the caller. */
  userGrant(userId: string): Promise<UserGrant>;
}

/** A job as a caller of RPCs on one app: nothing but that app is open to it. */
export function jobCall(rpc: string, grant: AppGrant, signal: AbortSignal): Call {
  const elsewhere = () => Promise.reject(new Fault('forbidden', 11007, 'A job works on its own app alone.'));
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
    publicGrant: elsewhere,
    userGrant: elsewhere,
  };
}
