/** The contract as the page speaks it: JSON types of its messages and one REST route per RPC. */
export * from '../gen/rest.ts';
