import { FetchFault } from '#store/fetcher/index.ts';
import { inputFault } from './faults.ts';

/** What kept a medium from being fetched, as the status that its input ends in. */
export function faultOfFetch(thrown: unknown): unknown {
  if (!(thrown instanceof FetchFault)) return thrown;
  switch (thrown.kind) {
    case 'too_large':
      return inputFault.overLimit(thrown.message);
    case 'forbidden':
    case 'invalid':
      return inputFault.invalidUrl(thrown.message);
    case 'http':
      return inputFault.notDelivered(thrown.message);
    default:
      return inputFault.unreachable(thrown.message, thrown);
  }
}
