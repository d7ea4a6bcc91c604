export { copyOut } from './copy-out.ts';
export {
  type Claimed,
  type Database,
  type DatabaseOptions,
  openDatabase,
  type Queryable,
  type QueryOptions,
  type RawReads,
  type Statement,
  type TransactionOptions,
  type Tx,
} from './database.ts';
export { codeOf, isDuplicate, isStatementTimeout, isWorthRepeating } from './errors.ts';
export { FolderInUse, type FolderLock, lockFolder } from './folder-lock.ts';
export { type Keeper, startKeeper } from './keeper.ts';
export type { OnNotify } from './listener.ts';
export { type Migration, MigrationRefused, migrate } from './migrate.ts';
export { RawColumns, type RawRow } from './raw-rows.ts';
export type { RawStatement, RawValue } from './raw-values.ts';
