import type { Key } from '@fovea/contract';
import { identityFault } from './faults.ts';

export const patType = 'personal_access_token';
export const appKeyType = 'app_specific_key';

/** A key as it is stored, its secret still sealed. */
export interface KeyRow {
  readonly key: number;
  readonly sealed: Buffer;
  readonly type: string;
  readonly description: string;
  readonly scopes: string[];
  readonly endpoints: string[];
  readonly organizationId: string;
  readonly expiresAt: Date | null;
  readonly createdAt: Date;
  readonly appId: string | null;
  readonly appUserId: string | null;
}

/** The type asked for; app-specific unless said otherwise (Key.type). @throws Fault when the apps do not fit the type. */
export function readKeyType(wire: Key): typeof patType | typeof appKeyType {
  const type = wire.type || appKeyType;
  if (type !== patType && type !== appKeyType) throw identityFault.unknownKeyType(type);
  if (type === patType && wire.apps.length > 0) throw identityFault.noAppsOnPat();
  if (type === appKeyType && wire.apps.length !== 1) throw identityFault.oneAppPerKey(wire.apps.length);
  return type;
}
