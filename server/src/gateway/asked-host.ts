import { AsyncLocalStorage } from 'node:async_hooks';

const asked = new AsyncLocalStorage<string>();
const plausible = /^[\w.-]+(:\d{1,5})?$|^\[[0-9a-fA-F:.]+\](:\d{1,5})?$/;

/** Host and port as the caller of the running call wrote them: links in the reply should lead him back here. */
export const askedHost = (): string | undefined => asked.getStore();

/** Runs a call so that `askedHost` knows its host; a header that is no host is not repeated. */
export const withHost = <T>(host: string | undefined, work: () => T): T =>
  host !== undefined && plausible.test(host) ? asked.run(host, work) : work();
