import type { IncomingMessage } from 'node:http';
import { gatewayFault } from './faults.ts';

/**
 * Path and query of a request. Proxies send whole URLs; everybody else a path, which is never taken for a host
 * (`//v2/apps`).
 *
 * @throws Fault 11100 for what is neither
 */
export function urlOf(request: Pick<IncomingMessage, 'url'>): URL {
  const asked = request.url ?? '/';
  const whole = asked.startsWith('/') ? `http://local${asked}` : asked;
  if (!URL.canParse(whole)) throw gatewayFault.badFormat('The request names no path.');
  return new URL(whole);
}
