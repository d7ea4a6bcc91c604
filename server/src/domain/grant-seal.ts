/**
 * The seal that makes grants. Lint lets only `gateway/` import this file, so nothing else can mint a grant,
 * and a store call without a checked sign-in cannot be written.
 */
export const seal: unique symbol = Symbol('grant seal');
export type Seal = typeof seal;
