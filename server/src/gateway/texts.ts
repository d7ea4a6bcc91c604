import { isArmed } from '#domain/failpoints.ts';
import { gatewayFault } from './faults.ts';

/**
 * Refuses texts that the database cannot store: NUL characters and halves of a surrogate pair, wherever they are
 * in the request, keys of maps and metadata included.
 *
 * Bytes and lists of numbers hold no texts and are passed over.
 *
 * @throws Fault CONN_BAD_REQUEST_FORMAT naming the field
 */
export function checkTexts(request: unknown): void {
  if (isArmed('skip-text-check')) return;
  visit(request, undefined);
}

interface Step {
  readonly name: string | number;
  readonly above: Step | undefined;
}

function visit(value: unknown, at: Step | undefined): void {
  if (typeof value === 'string') {
    if (value.includes('\0') || !value.isWellFormed()) throw gatewayFault.badFormat(wordsFor(at, value));
    return;
  }
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return;
  if (Array.isArray(value)) {
    if (typeof value[0] === 'number') return;
    for (let i = 0; i < value.length; i++) visit(value[i], { name: i, above: at });
    return;
  }
  for (const name in value) {
    if (name === '$typeName' || name === '$unknown') continue;
    if (name.includes('\0') || !name.isWellFormed()) throw gatewayFault.badFormat(wordsFor(at, name));
    visit((value as Record<string, unknown>)[name], { name, above: at });
  }
}

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
