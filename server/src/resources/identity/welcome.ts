import { randomBytes, timingSafeEqual } from 'node:crypto';
import { hashSecret } from '../common/sealer.ts';

const lifeMs = 60 * 60 * 1000;

/**
 * The code in the link that a start prints: whoever can read the terminal may open one session of the first user
 * with it, without typing a token. It works once, for an hour, and is kept as a hash and in memory only.
 */
export interface Welcome {
  readonly code: string;
  /** Whether this is the code; from then on it is none. */
  take(code: string): boolean;
}

export function openWelcome(now: () => number = Date.now): Welcome {
  const code = randomBytes(18).toString('base64url');
  const goodUntilMs = now() + lifeMs;
  let hash: Buffer | undefined = hashSecret(code);
  return {
    code,
    take(tried) {
      const isIt = hash !== undefined && now() < goodUntilMs && timingSafeEqual(hashSecret(tried), hash);
      if (isIt) hash = undefined;
      return isIt;
    },
  };
}
