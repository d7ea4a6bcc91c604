import { open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import type { ConvertReply, ConvertRequest } from './onnx-cache.ts';
import { recipes } from './recipes.ts';

if (parentPort === null) throw new Error('convert-worker runs as a worker thread');
const port = parentPort;
const { assetsDir } = workerData as { assetsDir: string };

port.on('message', (request: ConvertRequest) => {
  convert(request).then(
    () => port.postMessage({ id: request.id } satisfies ConvertReply),
    (error: Error) => port.postMessage({ id: request.id, reason: error.message } satisfies ConvertReply),
  );
});

/** Writes aside, flushes and renames: other processes see no file or a whole one. */
async function convert({ recipe, file }: ConvertRequest): Promise<void> {
  const bytes = await recipes[recipe].build(assetsDir);
  const aside = `${file}.${process.pid}.${Date.now()}.part`;
  try {
    const handle = await open(aside, 'w');
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(aside, file);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  }
  const folder = await open(path.dirname(file), 'r');
  await folder.sync().finally(() => folder.close());
}
