/**
 * A process for the kill tests: opens the database of a folder, writes numbers one commit at a time, and says
 * each on stdout once it is committed. It never stops by itself.
 */
import { openDatabase } from '../database.ts';

const dataDir = process.argv[2] ?? '';
const say = (line: string) => process.stdout.write(`${line}\n`);

try {
  const database = await openDatabase({ dataDir });
  await database.query('create table if not exists numbers (number bigint generated always as identity)');
  say(`server ${database.keeper?.pid()} ${database.keeper?.adopted ? 'adopted' : 'started'}`);
  let ending = false;
  process.once('SIGTERM', () => {
    ending = true;
    void database.close().then(() => process.exit(0));
  });
  while (!ending) {
    try {
      const [row] = await database.query('insert into numbers default values returning number');
      say(`wrote ${row.number}`);
    } catch (error) {
      say(`failed ${(error as Error).message}`);
    }
  }
} catch (error) {
  say(`refused ${(error as Error).message}`);
  process.exit(1);
}
