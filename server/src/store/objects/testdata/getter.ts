/**
 * A process for the tests of failing disks: reads one object again and again, and says how often that failed and how many
 * files of the store it then holds open.
 */
import { readdirSync, readlinkSync } from 'node:fs';
import { openFileObjects } from '../file-objects.ts';

const [root = '', key = '', count = '0'] = process.argv.slice(2);
const objects = openFileObjects(root);
let failed = 0;
for (let n = 0; n < Number(count); n++) {
  const found = await objects.get(key).catch(() => void (failed += 1));
  if (found) for await (const _ of found.stream);
}
const linkOf = (name: string): string => {
  try {
    return readlinkSync(`/proc/self/fd/${name}`);
  } catch {
    return '';
  }
};
const open = readdirSync('/proc/self/fd').filter((name) => linkOf(name).startsWith(root)).length;
process.stdout.write(JSON.stringify({ failed, open }));
