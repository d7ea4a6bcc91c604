import { randomBytes } from 'node:crypto';

const idBytes = 16;
/** Drawn for many ids at once: asking the system takes far longer than an id does. */
let drawn = Buffer.alloc(0);
let used = 0;

/** A new server-made id: 32 lower-case hex digits, as the live service makes them. */
export function newId(): string {
  if (used === drawn.length) {
    drawn = randomBytes(256 * idBytes);
    used = 0;
  }
  used += idBytes;
  return drawn.toString('hex', used - idBytes, used);
}

const idLengthMax = 256;
// Ids travel in URLs, file names and logs; what would split a path or a line is refused, the rest is the user's own.
const unsafe = /[\u0000-\u001f\u007f/\\?#%]/;

/**
 * Why an id cannot be used, or undefined when it can.
 * Lenient on purpose (spaces, dots and any script are seen in old apps); `me` is the contract's alias for the caller.
 */
export function idTrouble(id: string, what: string): string | undefined {
  if (id.length > idLengthMax) return `${what} id is longer than ${idLengthMax} characters.`;
  if (unsafe.test(id))
    return `${what} id '${id.replace(unsafe, '?')}' holds a control character or one of / \\ ? # %.`;
  if (id === '.' || id === '..') return `${what} id '${id}' is reserved.`;
  return undefined;
}
