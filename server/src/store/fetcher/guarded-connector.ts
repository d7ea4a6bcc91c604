import { type LookupAddress, lookup as systemLookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { buildConnector } from 'undici';
import { type AddressRules, hostName, mayReach } from './addresses.ts';
import { fetchFault } from './fetch-fault.ts';

export type Lookup = (
  host: string,
  options: { all: true },
  done: (error: Error | null, found: LookupAddress[]) => void,
) => void;

/**
 * Opens connections to permitted addresses only. Three checks, because each alone has a way around it:
 * addresses written as such never reach the lookup; names are checked as they resolve, and the connection
 * uses exactly what was checked; and the peer is checked again before a request is written to it.
 */
export function guardedConnector(
  rules: AddressRules,
  connectTimeoutMs: number,
  lookup: Lookup = systemLookup as Lookup,
): buildConnector.connector {
  const connect = buildConnector({
    timeout: connectTimeoutMs,
    allowH2: false,
    lookup: guardedLookup(rules, lookup),
    autoSelectFamily: true,
  } as buildConnector.BuildOptions);
  return (options, done) => {
    const host = hostName(options.hostname);
    if (isIP(host) !== 0 && !mayReach(rules, host, host)) return done(fetchFault.forbidden(host), null);
    connect(options, (...[error, socket]) => {
      if (error !== null || socket === null) return done(error ?? new Error('no connection'), null);
      if (mayReach(rules, host, socket.remoteAddress ?? '')) return done(null, socket);
      socket.destroy();
      done(fetchFault.forbidden(host), null);
    });
  };
}

function guardedLookup(rules: AddressRules, lookup: Lookup): LookupFunction {
  return (host, options, done) => {
    lookup(host, { ...options, all: true }, (error, found) => {
      if (error !== null) return done(error, []);
      const permitted = found.filter(({ address }) => mayReach(rules, host, address));
      const first = permitted[0];
      if (first === undefined) return done(fetchFault.forbidden(hostName(host)), []);
      if (options.all) done(null, permitted);
      else done(null, first.address, first.family);
    });
  };
}
