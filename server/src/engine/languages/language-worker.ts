import { parentPort } from 'node:worker_threads';
import { eld } from 'eld/small';
import type { Answered } from '../asked-threads.ts';
import type { FoundLanguage } from './index.ts';

if (parentPort === null) throw new Error('language-worker runs as a worker thread');
const port = parentPort;
const names = new Intl.DisplayNames(['en'], { type: 'language', fallback: 'code' });

const identify = (text: string): FoundLanguage[] =>
  Object.entries(eld.detect(text).getScores())
    .map(([code, value]) => ({ code, name: names.of(code) ?? code, value: Math.min(1, value) }))
    .sort((a, b) => b.value - a.value);

port.on('message', (text: string) =>
  port.postMessage({ answer: identify(text) } satisfies Answered<FoundLanguage[]>),
);
