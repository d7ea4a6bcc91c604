/**
 * Texts that the database cannot store, wherever they are in a request, keys of maps and metadata included: NUL
 * characters and halves of a surrogate pair. Bytes and lists of numbers hold no texts and are passed over.
 *
 * @returns what is wrong, naming the field; undefined where nothing is
 */
export const textTrouble = (request: unknown): string | undefined => visit(request, undefined, 0);

/** Deeper than any request of the contract may be; the stack ends somewhere beyond. */
const depthMax = 500;

interface Step {
  readonly name: string | number;
  readonly above: Step | undefined;
}

function visit(value: unknown, at: Step | undefined, depth: number): string | undefined {
  if (typeof value === 'string') {
    return isKeepable(value) ? undefined : wordsFor(at, value);
  }
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return undefined;
  if (depth === depthMax) return `The request is nested more than ${depthMax} levels deep.`;
  if (Array.isArray(value)) {
    if (typeof value[0] === 'number') return undefined;
    for (let i = 0; i < value.length; i++) {
      const trouble = visit(value[i], { name: i, above: at }, depth + 1);
      if (trouble) return trouble;
    }
    return undefined;
  }
  for (const name in value) {
    if (name === '$typeName' || name === '$unknown') continue;
    if (!isKeepable(name)) return wordsFor(at, name);
    const trouble = visit((value as Record<string, unknown>)[name], { name, above: at }, depth + 1);
    if (trouble) return trouble;
  }
  return undefined;
}

const isKeepable = (text: string): boolean => !text.includes('\0') && text.isWellFormed();

function wordsFor(at: Step | undefined, text: string): string {
  let path = '';
  for (let step = at; step; step = step.above) {
    // A oneof is kept as {case, value}; its field is named by the case, which stands in no path.
    if (step.name === 'value') continue;
    const part = typeof step.name === 'number' ? `[${step.name}]` : snake(step.name);
    path = path === '' || path.startsWith('[') ? part + path : `${part}.${path}`;
  }
  const what = text.includes('\0') ? 'a NUL character' : 'half of a surrogate pair, which is no character';
  return `${path || 'A text'} holds ${what}; leave it out.`;
}

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
