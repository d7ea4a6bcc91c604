import type { ServerResponse } from 'node:http';

/**
 * Writes one piece of a streamed reply, and waits where the caller reads more slowly than we write.
 *
 * @returns false when the caller is gone
 */
export async function writePiece(response: ServerResponse, piece: string | Buffer): Promise<boolean> {
  if (response.destroyed) return false;
  if (response.write(piece)) return true;
  await new Promise<void>((resolve) => {
    const done = () => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.on('drain', done);
    response.on('close', done);
  });
  return !response.destroyed;
}
