import type { AppName } from '../api/queries.ts';
import type { Drawing } from './shapes.ts';

// Drawings that the server does not have yet, kept by the browser until it does.
const databaseName = 'fovea';
const store = 'drafts';

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(databaseName, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(store);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function use<Result>(
  mode: IDBTransactionMode,
  work: (drafts: IDBObjectStore) => IDBRequest<Result>,
): Promise<Result | undefined> {
  try {
    const database = await open();
    return await new Promise<Result>((resolve, reject) => {
      const transaction = database.transaction(store, mode);
      const request = work(transaction.objectStore(store));
      transaction.oncomplete = () => {
        database.close();
        resolve(request.result);
      };
      transaction.onerror = () => reject(transaction.error);
    });
  } catch {
    // No storage in this browser (a private window, say): what is drawn is then kept by the page alone.
    return undefined;
  }
}

const keyOf = (app: AppName, inputId: string): string => `${app.user_id}/${app.app_id}/${inputId}`;

export const keepDraft = (app: AppName, inputId: string, drawing: Drawing): Promise<unknown> =>
  use('readwrite', (drafts) => drafts.put(drawing, keyOf(app, inputId)));

export const readDraft = (app: AppName, inputId: string): Promise<Drawing | undefined> =>
  use<Drawing>('readonly', (drafts) => drafts.get(keyOf(app, inputId)) as IDBRequest<Drawing>);

export const forgetDraft = (app: AppName, inputId: string): Promise<unknown> =>
  use('readwrite', (drafts) => drafts.delete(keyOf(app, inputId)));
