/** Of inputs, 2 ** 10 neighbouring keys: what versions of datasets share as a chunk. The database says `key >> 10`. */
export const bucketBits = 10;

export const bucketOf = (inputKey: number): number => Math.floor(inputKey / 2 ** bucketBits);

export const firstKeyOf = (bucket: number): number => bucket * 2 ** bucketBits;
