export { FetchFault, type FetchFaultKind } from './fetch-fault.ts';
export {
  type Fetched,
  type Fetcher,
  type FetcherOptions,
  type FetchOptions,
  type Opened,
  openFetcher,
} from './fetcher.ts';
