import type { Caller } from '#domain/grant.ts';
import { gatewayFault } from './faults.ts';

export interface RateLimit {
  readonly requests: number;
  readonly windowMs: number;
}

interface Bucket {
  tokens: number;
  filledAtMs: number;
}

const bucketsMax = 50_000;

/**
 * A token bucket per credential: `requests` at once, refilled evenly over the window. Counts per process; behind a
 * load balancer each replica allows its own share.
 */
export function openRateLimiter(limit: RateLimit, nowMs: () => number = () => performance.now()) {
  const buckets = new Map<string, Bucket>();
  const perMs = limit.requests / limit.windowMs;

  return {
    /** @throws Fault 11005 when this credential has used up its share */
    take(caller: Caller): void {
      const name = `${caller.credential} ${caller.credentialKey}`;
      const now = nowMs();
      const bucket = buckets.get(name) ?? { tokens: limit.requests, filledAtMs: now };
      bucket.tokens = Math.min(limit.requests, bucket.tokens + (now - bucket.filledAtMs) * perMs);
      bucket.filledAtMs = now;
      if (buckets.size >= bucketsMax) buckets.clear();
      buckets.set(name, bucket);
      if (bucket.tokens < 1) throw gatewayFault.throttled(limit.requests, limit.windowMs);
      bucket.tokens -= 1;
    },
  };
}

export type RateLimiter = ReturnType<typeof openRateLimiter>;
