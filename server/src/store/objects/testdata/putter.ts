/**
 * A process for the tests of failing disks: stores objects one after the other, and says of each whether it was
 * acknowledged.
 */
import { createHash, randomBytes } from 'node:crypto';
import { openFileObjects } from '../file-objects.ts';

const [root = '', count = '0'] = process.argv.slice(2);
const objects = openFileObjects(root);
for (let n = 0; n < Number(count); n++) {
  const bytes = randomBytes(300_000);
  const sha = createHash('sha256').update(bytes).digest('hex');
  const key = `media/orig/${sha.slice(0, 2)}/${sha}`;
  const said = await objects.put(key, bytes).then(
    () => 'kept',
    (error: NodeJS.ErrnoException) => `failed ${error.code}`,
  );
  process.stdout.write(`${sha} ${said}\n`);
}
