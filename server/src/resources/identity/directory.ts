import type { Directory } from '#domain/directory.ts';
import type { Database } from '#store/postgres/index.ts';
import {
  findApp,
  findAppByKey,
  findCollaboration,
  findCredential,
  findSession,
  findUser,
} from './lookup-store.ts';
import { findMovedTo } from './moved-ids.ts';

/**
 * The gateway's look-ups, remembered in memory. Any change of users, keys, apps or collaborators in any process
 * empties the memory (a NOTIFY sent by triggers, at commit); handlers of this process also call `forget`, so that
 * a key deleted here is refused by the very next call.
 */
export interface RememberedDirectory extends Directory {
  forget(): void;
}

const entriesMax = 10_000;

export async function openDirectory(db: Database): Promise<RememberedDirectory> {
  const memory = new Map<string, Promise<unknown>>();
  const forget = () => memory.clear();
  await db.listen('fovea_identity', forget);

  /** Remembers what was found, never what was not: a new key works at once, and misses cannot fill the memory. */
  function remembered<T>(name: string, find: () => Promise<T | undefined>): Promise<T | undefined> {
    const known = memory.get(name);
    if (known) return known as Promise<T | undefined>;
    if (memory.size >= entriesMax) memory.clear();
    const found = find();
    memory.set(name, found);
    const drop = () => {
      if (memory.get(name) === found) memory.delete(name);
    };
    found.then((value) => value === undefined && drop(), drop);
    return found;
  }

  return {
    forget,
    credentialOf: (hash) => remembered(`key ${hash.toString('base64')}`, () => findCredential(db, hash)),
    sessionOf: (hash) => remembered(`session ${hash.toString('base64')}`, () => findSession(db, hash)),
    userOf: (id) => remembered(`user ${id}`, () => findUser(db, id)),
    appOf: (userKey, id) => remembered(`app ${userKey} ${id}`, () => findApp(db, userKey, id)),
    appByKey: (key) => remembered(`app # ${key}`, () => findAppByKey(db, key)),
    appMovedTo: (userKey, id) => findMovedTo(db, 'app', userKey, id),
    collaborationOf: (appKey, userKey) =>
      remembered(`shared ${appKey} ${userKey}`, () => findCollaboration(db, appKey, userKey)),
  };
}
