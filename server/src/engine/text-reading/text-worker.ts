import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import { gunzipSync } from 'node:zlib';
import type { Answered } from '../asked-threads.ts';
import type { RawPixels } from '../bmp.ts';
import { type FoundLine, linesOfTable } from './table.ts';

/** The few calls of Tesseract's API, as its WebAssembly build exposes them, that are used here. */
interface TesseractApi {
  Init(dataFolder: null, language: string, engineMode: number): number;
  SetVariable(name: string, value: string): void;
  /** Reads `/input`; 1 when it cannot. */
  SetImageFile(exifOrientation: number, angle: number): number;
  Recognize(monitor: null): number;
  MeanTextConf(): number;
  GetTSVText(page: number): string;
  Clear(): void;
}
interface TesseractModule {
  FS: { writeFile(name: string, bytes: Uint8Array): void };
  TessBaseAPI: new () => TesseractApi;
}
type OpenCore = (options: {
  wasmBinary: Uint8Array;
  print(line: string): void;
  printErr(line: string): void;
}) => Promise<TesseractModule>;

const lstmOnly = 1;
/** Finds blocks and columns by itself: on photographs without text it found none, where other modes made some up. */
const automaticLayout = '3';
/** Below this mean confidence, of 100, a page was upside down or no text. */
const confidenceLow = 60;

const load = createRequire(import.meta.url);

async function openReader(): Promise<{ module: TesseractModule; api: TesseractApi }> {
  const base = 'tesseract.js-core/tesseract-core';
  const simd = readFileSync(load.resolve(`${base}-simd-lstm.wasm`));
  const build = WebAssembly.validate(simd) ? '-simd-lstm' : '-lstm';
  const open = load(`${base}${build}.js`) as OpenCore;
  const module = await open({
    // Handed over, so that nothing is looked for anywhere else.
    wasmBinary: build === '-lstm' ? readFileSync(load.resolve(`${base}-lstm.wasm`)) : simd,
    print: () => {},
    printErr: () => {},
  });
  module.FS.writeFile('eng.traineddata', gunzipSync((workerData as { language: Uint8Array }).language));
  const api = new module.TessBaseAPI();
  if (api.Init(null, 'eng', lstmOnly) !== 0) throw new Error('the language data could not be opened');
  api.SetVariable('tessedit_pageseg_mode', automaticLayout);
  return { module, api };
}

const reader = openReader();
// Told with the first question; without this the thread would die of it before one is asked.
reader.catch(() => {});

/** A portable grey map: what the library reads with the least of its code. Weights of ITU-R BT.601. */
function greyMap({ width, height, pixels }: RawPixels, isUpsideDown: boolean): Uint8Array {
  const header = Buffer.from(`P5\n${width} ${height}\n255\n`);
  const count = width * height;
  const bytes = new Uint8Array(header.length + count);
  bytes.set(header);
  for (let at = 0; at < count; at += 1) {
    const from = at * 3;
    const grey =
      0.299 * (pixels[from] as number) +
      0.587 * (pixels[from + 1] as number) +
      0.114 * (pixels[from + 2] as number);
    bytes[header.length + (isUpsideDown ? count - 1 - at : at)] = Math.round(grey);
  }
  return bytes;
}

async function read(picture: RawPixels): Promise<FoundLine[]> {
  const { module, api } = await reader;
  const look = (isUpsideDown: boolean): { confidence: number; lines: FoundLine[] } => {
    module.FS.writeFile('/input', greyMap(picture, isUpsideDown));
    if (api.SetImageFile(1, 0) === 1) throw new Error('the picture could not be handed over');
    api.Recognize(null);
    const made = {
      confidence: api.MeanTextConf(),
      lines: linesOfTable(api.GetTSVText(0), picture, isUpsideDown),
    };
    api.Clear();
    return made;
  };
  const upright = look(false);
  if (upright.lines.length === 0 || upright.confidence >= confidenceLow) return upright.lines;
  const turned = look(true);
  return turned.confidence > upright.confidence ? turned.lines : upright.lines;
}

parentPort?.on('message', async (picture: RawPixels) => {
  let answered: Answered<FoundLine[]>;
  try {
    answered = { answer: await read(picture) };
  } catch (error) {
    answered = { reason: error instanceof Error ? error.message : String(error) };
  }
  parentPort?.postMessage(answered);
});
