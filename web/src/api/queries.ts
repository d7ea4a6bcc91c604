import type { App, User } from '@fovea/contract/rest';
import { QueryClient, useQuery } from '@tanstack/react-query';
import { createContext, useContext, useMemo } from 'react';
import { type Request, type Response, type RpcName, rpc } from './client.ts';
import { onServerState } from './server-state.ts';
import { Trouble } from './trouble.ts';

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      // A refusal stays one; what the network did may pass.
      retry: (count, thrown) => count < 2 && thrown instanceof Trouble && thrown.isKey,
      refetchOnWindowFocus: true,
    },
  },
});

// What could not be asked while the server was away is asked when it is back: the banner says so.
onServerState((isLost) => {
  if (isLost) return;
  void queries.refetchQueries({ type: 'active', predicate: ({ state }) => state.status === 'error' });
});

export const keyOf = <Name extends RpcName>(name: Name, request: Request<Name>) => [name, request] as const;

/**
 * What an RPC answers, kept and refreshed. `everyMs` asks again for as long as it says so: for what is still being
 * worked on. Such repeats are not remembered as calls of the screen.
 */
export function useRpc<Name extends RpcName>(
  name: Name,
  request: Request<Name>,
  options: {
    enabled?: boolean;
    everyMs?: (data: Response<Name> | undefined) => number | false;
    /** Asks anew whenever a screen comes to it, and shows nothing older. */
    isFresh?: boolean;
  } = {},
) {
  const { everyMs } = options;
  return useQuery<Response<Name>>({
    queryKey: keyOf(name, request),
    queryFn: ({ signal }) =>
      rpc(name, request, { signal, quiet: queries.getQueryData(keyOf(name, request)) !== undefined }),
    enabled: options.enabled ?? true,
    ...(options.isFresh ? { gcTime: 0 } : {}),
    ...(everyMs ? { refetchInterval: (query) => everyMs(query.state.data) } : {}),
  });
}

/** Asks again for everything that these RPCs answered. */
export const refresh = (...names: readonly RpcName[]): Promise<unknown> =>
  Promise.all(names.map((name) => queries.invalidateQueries({ queryKey: [name] })));

const UserContext = createContext<User>({});
export const UserProvider = UserContext.Provider;
export const useUser = (): User => useContext(UserContext);

/** The app whose screens are shown, as requests name it. */
export interface AppName {
  readonly user_id: string;
  readonly app_id: string;
}
const AppContext = createContext<AppName & { readonly app?: App }>({ user_id: '', app_id: '' });
export const AppProvider = AppContext.Provider;
/** The same object for as long as it is the same app: what hangs on it is not made anew when the app is read again. */
export const useAppName = (): AppName => {
  const { user_id, app_id } = useContext(AppContext);
  return useMemo(() => ({ user_id, app_id }), [user_id, app_id]);
};
export const useApp = (): App => useContext(AppContext).app ?? {};
