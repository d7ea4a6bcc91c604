/**
 * What makes embeddings: a network that comes with the server, and, where one was trained to stand on it, the part
 * that maps its embeddings to others. One word for both, so that it can stand wherever a network's name does.
 */
export interface EmbedderParts {
  readonly network: string;
  /** SHA-256 of the trained part, in hex; undefined for the network alone. */
  readonly partSha: string | undefined;
}

const between = '+';

/** @param partSha SHA-256 of the trained part; null for the network alone */
export const embedderName = (network: string, partSha: Buffer | null): string =>
  partSha === null ? network : `${network}${between}${partSha.toString('hex')}`;

export function readEmbedderName(name: string): EmbedderParts {
  const at = name.lastIndexOf(between);
  return at < 0
    ? { network: name, partSha: undefined }
    : { network: name.slice(0, at), partSha: name.slice(at + between.length) };
}
