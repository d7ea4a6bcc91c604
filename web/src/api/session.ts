import type { User } from '@fovea/contract/rest';
import { call, rpc } from './client.ts';
import { isSignedOut } from './trouble.ts';

/** Who is signed in by the session cookie; null where nobody is. */
export async function whoAmI(): Promise<User | null> {
  try {
    return (await rpc('GetUser', { user_app_id: { user_id: 'me' } }, { quiet: true })).user ?? null;
  } catch (thrown) {
    if (isSignedOut(thrown)) return null;
    throw thrown;
  }
}

/** Opens a session with a personal access token, which is then forgotten: the cookie stands for it. */
export async function signIn(token: string): Promise<void> {
  await call('POST', '/v2/login', { password: token }, { quiet: true });
}

/** Opens the first user's session with the code of the start page, which works once. */
export async function signInWithCode(code: string): Promise<void> {
  await call('POST', '/v2/ext/fovea/welcome', { code }, { quiet: true });
}

export async function signOut(): Promise<void> {
  await call('DELETE', '/v2/ext/fovea/session', undefined, { quiet: true });
}
