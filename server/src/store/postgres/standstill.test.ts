import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { silentLog } from '../log.ts';
import { endWhereStill } from './standstill.ts';
import { openTestDatabase } from './testing.ts';

// Only Linux tells what processes are there.
test.runIf(process.platform === 'linux')(
  'a server that neither serves nor recovers is ended, one that serves is not',
  async () => {
    const db = await openTestDatabase([]);
    const idle = spawn('sleep', ['60']);
    const ended = new Promise((resolve) => idle.once('exit', (_code, signal) => resolve(signal)));
    const serving = db.keeper?.pid();
    const stops = [endWhereStill(() => idle.pid, silentLog, 50), endWhereStill(() => serving, silentLog, 50)];
    try {
      expect(await ended).toBe('SIGKILL');
      await sleep(300);
      expect(await db.query('select 1 as one')).toEqual([{ one: 1 }]);
      expect([db.keeper?.pid(), serving === undefined]).toEqual([serving, false]);
    } finally {
      for (const stop of stops) stop();
      await db.close();
    }
  },
);
